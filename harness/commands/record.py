"""Stages leave their settings and their provenance in the run's folder."""

import time
import tomllib
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec

from harness.commands.config import settings_of
from harness.commands.toml import toml_text
from harness.errors import QprobeError
from harness.runs.atomic import atomic_write
from harness.runs.provenance import CONFIG_FILE, count, note_stage

Arguments = ParamSpec("Arguments")
HEAD = "# The settings of this run: qprobe run THIS_FILE resumes it, and with --set folder=NEW repeats it there.\n"


def recorded(stage: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Make a stage's command add its settings to the run's config.toml, and a line to its provenance, when done."""

    @wraps(stage)
    def run_and_record(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        bound = signature(stage).bind(*args, **kwargs)
        bound.apply_defaults()
        run, name = bound.arguments["run"], stage.__name__.rstrip("_")
        before, started = count(run, name), time.monotonic()
        stage(*args, **kwargs)
        settings = settings_of(stage, bound.arguments)
        settings.pop("run")
        note_stage(run, name, settings, seconds=time.monotonic() - started, before=before)
        keep_config(run, settings)

    return run_and_record


def keep_config(run: Path, settings: Mapping[str, Any]) -> None:
    """Write settings into the run's config.toml, over those of an earlier command."""
    path = run / CONFIG_FILE
    text = HEAD + toml_text({**_kept(path), **settings})
    with atomic_write(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _kept(path: Path) -> dict[str, Any]:
    """Return the settings that the file holds; the run's folder alone where there is no file yet."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"folder": str(path.parent)}
    except ValueError as error:
        raise QprobeError(f"{path} is not TOML: {error}. Correct it, or remove it to have it written anew.") from error
