"""Looking after benchmarks: list, show, fetch, new, check."""

import json as jsonlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from harness.commands import options as args
from harness.commands.options import with_options
from harness.commands.terminal import Terminal
from harness.stages.options import WorkerOptions

if TYPE_CHECKING:
    from benchmarks import Benchmark, Problem
    from benchmarks.doctor import Check

SHOWN = 10
"""How many problems the table names for each check; --json names all."""

benchmarks = typer.Typer(name="benchmarks", help="List, show, fetch, write and check benchmarks.", no_args_is_help=True)
Errata = Annotated[bool, typer.Option(help="correct the problems known to be wrong (benchmarks/errata)")]
Name = Annotated[str, typer.Argument(help="a benchmark's name, NAME:FILE, FILE.jsonl, MAPPING.toml or FILE.py")]


@benchmarks.command(name="list")
def list_() -> None:
    """Name the benchmarks. They ship with qprobe, or another package offers them."""
    from benchmarks.registry import benchmark_names

    for name in benchmark_names():
        print(name)


@benchmarks.command()
def show(
    name: Name,
    problem: Annotated[str | None, typer.Option(help="show this problem")] = None,
    errata: Errata = True,
    json: args.Json = False,
) -> None:
    """Show a benchmark, or one of its problems."""
    from dataclasses import asdict

    from benchmarks.registry import open_benchmark
    from harness.errors import QprobeError

    benchmark = open_benchmark(name, errata=errata)
    found = benchmark.problems()
    if problem is None:
        print(jsonlib.dumps(_card(benchmark, found), indent=1))
        return
    chosen = next((each for each in found if each.id == problem), None)
    if chosen is None:
        raise QprobeError(f"{benchmark.name} has no problem {problem!r}; its first is {found[0].id}.")
    if json:
        print(jsonlib.dumps(asdict(chosen), indent=1))
    else:
        Terminal().out.print(f"{chosen.prompt}\n# tests\n{_readable(chosen)}", markup=False, highlight=False)


@benchmarks.command()
@with_options(WorkerOptions)
def check(
    name: Name,
    options: WorkerOptions,
    repeats: Annotated[int, typer.Option(min=1, help="how often references run again")] = 4,
    errata: Errata = True,
    json: args.Json = False,
) -> None:
    """Examine whether a benchmark is fit to be used.

    References must pass, worthless and cheating programs fail, prompts give nothing away.

    Exit status 1 where a check fails.
    """
    from dataclasses import asdict

    from benchmarks.doctor import examine
    from benchmarks.registry import open_benchmark
    from harness.errors import QprobeError
    from harness.stages.grade import Budget
    from sandbox import open_sandbox

    terminal, budget = Terminal(), Budget()
    benchmark = open_benchmark(name, errata=errata)
    benchmark.problems()  # complains before a sandbox is opened
    with open_sandbox(options.sandbox, options.workers, options.image, runtime=options.runtime) as room:
        limits = {"limits": budget.base, "of_references": budget.of_references}
        checks = list(examine(benchmark, room, **limits, repeats=repeats, progress=terminal.task))
    if json:
        print(jsonlib.dumps([{**asdict(each), "fails": each.fails} for each in checks], indent=1))
    else:
        terminal.out.print(_table(checks))
        _print_findings(checks, terminal)
    if failed := [each.name for each in checks if each.fails]:
        raise QprobeError(f"{benchmark.name}: {len(failed)} of {len(checks)} checks fail: {'; '.join(failed)}.")


@benchmarks.command()
def fetch(name: Name) -> None:
    """Keep a benchmark's data from the hub. It can be used offline ever after."""
    from benchmarks.registry import open_benchmark

    benchmark = open_benchmark(name)
    bring = getattr(benchmark, "fetch", None)
    kept = bring() if bring else None
    found = benchmark.problems()
    where = f"kept in {kept}" if kept else "there is nothing to fetch: its data is on this machine"
    Terminal().message(f"{benchmark.name}: {len(found):,} problems; {where}.")


@benchmarks.command()
def new(name: Annotated[str, typer.Argument(help="small letters, digits and underscores")]) -> None:
    """Write a small working benchmark to start from. It is NAME.py, with test_NAME.py, in the current folder."""
    from benchmarks.skeleton import write_skeleton

    for path in write_skeleton(name, Path()):
        print(path)
    Terminal().message(f"Look at it with qprobe benchmarks check {name}.py; use it with --benchmark {name}.py.")


def _readable(problem: "Problem") -> str:
    """The tests as a person reads them; of a whole program, what it reads and what it should print."""
    from sandbox.cases import cases_of

    if not problem.language:
        return problem.tests
    return "\n".join(f"{case.input.rstrip()}\n-->\n{case.output.rstrip()}\n" for case in cases_of(problem.tests))


def _card(benchmark: "Benchmark", found: "Sequence[Problem]") -> dict[str, Any]:
    from benchmarks.errata import errata_of
    from benchmarks.problem import problems_digest

    return {
        "name": benchmark.name,
        "problems": len(found),
        "splits": Counter(each.split for each in found),
        "licence": getattr(benchmark, "licence", "unknown"),
        "sha256": problems_digest(found),
        "errata": errata.described if (errata := errata_of(benchmark)) else None,
    }


def _table(checks: "Sequence[Check]") -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("check", "result", "problems"):
        table.add_column(title, no_wrap=True, justify="right" if title == "problems" else "left")
    table.add_column("")
    for each in checks:
        count = len(each.findings)
        result = f"FAILS on {count}" if each.fails else f"{count} to know" if count else "ok"
        result += f", {len(each.known)} known" if each.known else ""
        table.add_row(each.name, result, str(each.looked_at), each.note, style="bold red" if each.fails else None)
    return table


def _print_findings(checks: "Sequence[Check]", terminal: Terminal) -> None:
    for each in checks:
        if each.findings or each.known:
            terminal.out.print(f"{each.name}:", style="bold red" if each.fails else "bold", highlight=False)
        for finding in each.findings[:SHOWN]:
            terminal.out.print(f"  {finding.problem_id}  {finding.detail}", markup=False, highlight=False)
        for finding in each.known:
            terminal.out.print(f"  known: {finding.problem_id}  {finding.detail}", markup=False, highlight=False)
        if (more := len(each.findings) - SHOWN) > 0:
            terminal.out.print(f"  and {more} more: --json names them all", markup=False, highlight=False)
