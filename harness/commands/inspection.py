"""Looking at what there is: benchmarks and the sandbox."""

import json as jsonlib
from collections import Counter
from typing import Annotated

import typer

from harness.commands import arguments as args
from harness.terminal import Terminal

benchmarks = typer.Typer(name="benchmarks", help="List and show benchmarks.", no_args_is_help=True)
sandbox = typer.Typer(name="sandbox", help="Build, check and clean the sandbox.", no_args_is_help=True)


@benchmarks.command(name="list")
def list_() -> None:
    """The names of the benchmarks that ship with qprobe."""
    from benchmarks.registry import SHIPPED

    for name in SHIPPED:
        print(name)


@benchmarks.command()
def show(
    name: Annotated[str, typer.Argument(help="a benchmark's name or FILE.jsonl")],
    problem: Annotated[str | None, typer.Option(help="show this problem")] = None,
    json: args.Json = False,
) -> None:
    """A benchmark's splits and licence, or one of its problems."""
    from dataclasses import asdict

    from benchmarks.registry import open_benchmark
    from harness.errors import QprobeError

    benchmark = open_benchmark(name)
    found = benchmark.problems()
    if problem is None:
        splits = Counter(each.split for each in found)
        print(jsonlib.dumps({"name": benchmark.name, "problems": len(found), "splits": splits}, indent=1))
        return
    chosen = next((each for each in found if each.id == problem), None)
    if chosen is None:
        raise QprobeError(f"{benchmark.name} has no problem {problem!r}; its first is {found[0].id}.")
    if json:
        print(jsonlib.dumps(asdict(chosen), indent=1))
    else:
        Terminal().out.print(f"{chosen.prompt}\n# tests\n{chosen.tests}", markup=False, highlight=False)
