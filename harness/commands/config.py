"""A whole experiment in one TOML file. Its keys are the options of `qprobe run`.

A value comes from an option, else from `--set KEY=VALUE`, else from the file, else it is the option's default.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from harness.errors import QprobeError
from harness.runs.config_file import folder_of

ABOUT_THE_CALL = frozenset({"ctx", "help", "quiet", "json", "assignments", "print_config", "dry_run"})
"""Parameters that say how a command is called and not what it does: they are in no configuration."""

RENAMED = {
    "again": "regrade",
    "outputs": "visible_tests",
    "overlay": "errata",
    "cpu_seconds": "timeout",
    "time_factor": "timeout_factor",
    "min_seconds": "timeout_min",
    "max_seconds": "timeout_max",
}
"""Earlier name of a setting -> its name now; files and scripts written for the earlier names keep working."""

PATHS = frozenset({"folder", "samples", "adapter"})
"""Settings that are paths: `~` in them is the home folder, which no shell expands in a file."""

SET = "--set"
_GIVEN = "qprobe.given"
"""The key in a command's context for the values of a file and of --set: values by parameter, by source."""


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One value of a configuration."""

    key: str
    value: Any  # None where the default depends on other things
    source: str  # "default", "--set", the option, or the file's path


def read_file(ctx: typer.Context, target: Path | None) -> Path | None:
    """The callback of run's argument: a FILE.toml becomes the defaults of the options, and leaves no run folder.

    The settings that a run keeps are of the run in whose folder they lie, whatever folder they were written in.
    """
    if target is None or target.suffix != ".toml":
        return target
    values = _parsed(target)
    if run := folder_of(target):
        values["folder"] = str(run)
    _become_defaults(ctx, str(target), values)
    return None


def read_assignments(ctx: typer.Context, assignments: list[str] | None) -> list[str] | None:
    """The callback of --set."""
    _become_defaults(ctx, SET, dict(_assignment(text) for text in assignments or ()))
    return assignments


def folder_setting(ctx: typer.Context) -> Path | None:
    """The run folder that a file or --set names."""
    value = (ctx.default_map or {}).get("folder")
    return None if value is None else Path(value).expanduser()


def effective(ctx: typer.Context) -> list[ConfigValue]:
    """Every setting of the command being run, and where it came from."""
    return [_setting(ctx, key, parameter) for key, parameter in _settable(ctx).items()]


def _settable(ctx: typer.Context) -> dict[str, Any]:
    parameters = (parameter for parameter in ctx.command.params if parameter.name not in ABOUT_THE_CALL)
    return {_key(str(parameter.name), parameter.opts): parameter for parameter in parameters}


def _key(name: str, options: Iterable[str]) -> str:
    """The long option without its dashes, or the parameter's name where it is an argument."""
    long = [option for option in options if option.startswith("--")]
    return (long[0] if long else name).lstrip("-").replace("-", "_")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise QprobeError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise QprobeError(f"{path} is not TOML: {error}.") from error


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise QprobeError(f"--set takes KEY=VALUE, not {text!r}.")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()  # a bare word stands for itself


def _checked(ctx: typer.Context, source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the name of their parameter. Raises QprobeError for an unknown key, a table, or a value amiss."""
    settable = _settable(ctx)
    checked = {}
    for written, value in values.items():
        key = RENAMED.get(written.replace("-", "_"), written.replace("-", "_"))
        if isinstance(value, dict):
            raise QprobeError(f"{source}: [{written}] is a table; write settings one per line, without tables.")
        if key not in settable:
            raise QprobeError(_unknown(source, written, settable))
        value = _as_option(value)
        if key in PATHS and isinstance(value, str):
            value = str(Path(value).expanduser())
        try:
            if settable[key].callback is None:
                settable[key].process_value(ctx, value)
        except typer.BadParameter as error:
            raise QprobeError(f"{source}: {key} cannot be {value!r}: {error.message}") from error
        checked[str(settable[key].name)] = value
    return checked


def _as_option(value: object) -> object:
    """A value as an option would give it: a list is its parts separated by commas."""
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return value if isinstance(value, bool | str) else str(value)


def _unknown(source: str, key: str, settable: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, settable, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Choose from {', '.join(settable)}."
    return f"{source}: Unknown setting {key!r}. {hint}"


def _become_defaults(ctx: typer.Context, source: str, values: dict[str, Any]) -> None:
    """--set goes before the file, in whichever order the two stand on the command line."""
    given: dict[str, dict[str, Any]] = ctx.meta.setdefault(_GIVEN, {})
    given[source] = _checked(ctx, source, values)
    ctx.default_map = {name: value for origin in _weakest_first(given) for name, value in given[origin].items()}


def _weakest_first(sources: Iterable[str]) -> list[str]:
    return sorted(sources, key=lambda source: source == SET)


def _setting(ctx: typer.Context, key: str, parameter: Any) -> ConfigValue:  # noqa: ANN401 - click's or typer's own copy
    name = str(parameter.name)
    value, source = ctx.params.get(name), ctx.get_parameter_source(name)
    if name == "folder" and value is None and (named := folder_setting(ctx)):
        return ConfigValue(key, str(named), _origin(ctx, name))
    if source is None or source.name == "DEFAULT" or (name == "folder" and value is None):
        return ConfigValue(key, value, "default")
    given = parameter.opts[0] if source.name == "COMMANDLINE" else _origin(ctx, name)
    return ConfigValue(key, str(value) if isinstance(value, Path) else value, given)


def _origin(ctx: typer.Context, name: str) -> str:
    """The strongest source that gave the parameter."""
    given = ctx.meta[_GIVEN]
    return next(source for source in reversed(_weakest_first(given)) if name in given[source])
