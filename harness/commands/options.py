"""Command-line options: those that several commands share, and those made from a stage's dataclass of options."""

from collections.abc import Callable
from dataclasses import Field, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from harness.errors import QprobeError
from harness.stages.option_values import flag_of
from harness.stages.options import names as names
from harness.stages.options import title_of

Run = Annotated[Path, typer.Argument(metavar="RUN", help="folder of the run, such as results/NAME")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print results and errors only")]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Format = Annotated[Literal["table", "json", "markdown", "latex", "csv"], typer.Option("--format", help="output format")]
Full = Annotated[bool, typer.Option("--full", help="print every table; the main one comes first and again last")]
Greedy = Annotated[Path | None, typer.Option(help="run of one sample per problem at temperature 0, to compare with")]
Scores = Annotated[
    list[Path] | None,
    typer.Option(help=".csv or .jsonl file of one score per sample (problem, index, score): a further row"),
]
Ks = Annotated[str | None, typer.Option("--k", help="numbers of samples to report best of k for, such as 1,5,10")]
Track = Annotated[str | None, typer.Option(help="also send the report to mlflow or wandb [default: nowhere]")]


Command = Callable[..., None]


def with_options(stage: type[Any], *, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the options of a stage: its function takes them as one value, its command line one by one.

    The function has a parameter `options`; its other parameters stay as they are. Without `required`, options that
    the stage's own command requires may be left out.
    """
    types = get_type_hints(stage)
    entries = fields(stage)

    def wrap(function: Command) -> Command:
        @wraps(function)
        def command(**values: Any) -> None:  # noqa: ANN401 - values of options
            given = {entry.name: _parsed(entry, types[entry.name], values.pop(entry.name)) for entry in entries}
            function(options=stage(**given), **values)

        parameters = []
        for parameter in signature(function, eval_str=True).parameters.values():
            if parameter.name == "options":
                parameters += [_parameter(stage, entry, types[entry.name], required) for entry in entries]
            else:
                parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return wrap


class GroupedCommand(TyperCommand):
    """A command whose help lists its options under the headings of their stages."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - classes of typer's copy of click
        """Write the arguments, then the options by heading, and those without a heading last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                is_argument = parameter.param_type_name == "argument"
                title = "Arguments" if is_argument else getattr(parameter, "rich_help_panel", None) or "Options"
                groups.setdefault(title, []).append(record)
        place = {"Arguments": -1, "Options": 1}
        for title in sorted(groups, key=lambda title: place.get(title, 0)):  # stable: the rest stay in order
            with formatter.section(title):
                formatter.write_dl(groups[title])


def _parameter(stage: type[Any], entry: "Field[Any]", kind: Any, required: bool) -> Parameter:  # noqa: ANN401
    """The parameter of one option, as typer reads it."""
    meta, needed = entry.metadata, required and entry.metadata["required"]
    default, least, most = entry.default, meta["least"], meta["most"]
    if get_origin(kind) is tuple:
        kind, default, least, most = str | None, None, None, None
    if needed and isinstance(kind, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    declared = [flag_of(entry)]
    if kind is bool and default is True:
        declared = [f"{declared[0]}/--no-{declared[0].removeprefix('--')}"]
    info = typer.Option(
        *declared,
        help=meta["help"],
        min=least,
        max=most,
        metavar=meta["metavar"],
        show_default=default is not None and default is not False and default != "",
        autocompletion=meta["complete"],
        rich_help_panel=title_of(stage, entry),
    )
    return Parameter(
        entry.name,
        Parameter.KEYWORD_ONLY,
        default=Parameter.empty if needed else default,
        annotation=Annotated[kind, info],
    )


def _parsed(entry: "Field[Any]", kind: Any, value: Any) -> Any:  # noqa: ANN401 - values of options
    """An option's value as the stage takes it: a list in text becomes a tuple."""
    if get_origin(kind) is not tuple:
        return value
    if value is None:
        return ()
    item = get_args(kind)[0]
    try:
        return tuple(item(part) for part in names(value))
    except ValueError as error:
        raise QprobeError(f"{entry.metadata['flag']} {value} is not a list of numbers separated by commas.") from error


def numbers(text: str | None) -> list[int] | None:
    """Return the whole numbers in a list separated by commas. Raises QprobeError for anything else."""
    if text is None:
        return None
    try:
        return [int(part) for part in names(text)]
    except ValueError as error:
        raise QprobeError(f"{text!r} is not a list of whole numbers separated by commas.") from error
