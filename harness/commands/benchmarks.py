"""The commands for benchmarks: list, show, fetch, new, check."""

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
"""The number of problems listed per check; --json lists all."""

benchmarks = typer.Typer(
    name="benchmarks", help="List, show, fetch, create and check benchmarks.", no_args_is_help=True
)
Errata = Annotated[bool, typer.Option(help="correct the problems known to be wrong (benchmarks/errata)")]
Name = Annotated[str, typer.Argument(help="a benchmark's name, NAME:FILE, FILE.jsonl, MAPPING.toml or FILE.py")]


@benchmarks.command(name="list")
def list_() -> None:
    """List the benchmarks that ship with qprobe or with an installed package."""
    from benchmarks.registry import benchmark_names

    for name in benchmark_names():
        print(name)


@benchmarks.command()
def show(
    name: Name,
    problem: Annotated[
        str | None, typer.Option(help="id of the problem to show; default: a summary of the benchmark")
    ] = None,
    errata: Errata = True,
    json: args.Json = False,
) -> None:
    """Show a summary of a benchmark, or one of its problems."""
    from dataclasses import asdict

    from benchmarks.registry import open_benchmark
    from harness.errors import QprobeError

    benchmark = open_benchmark(name, errata=errata)
    problems = benchmark.problems()
    if problem is None:
        print(jsonlib.dumps(_card(benchmark, problems), indent=1))
        return
    chosen = next((candidate for candidate in problems if candidate.id == problem), None)
    if chosen is None:
        raise QprobeError(f"{benchmark.name} has no problem {problem!r}; the first is {problems[0].id}.")
    if json:
        print(jsonlib.dumps(asdict(chosen), indent=1))
    else:
        Terminal().out.print(f"{chosen.prompt}\n# tests\n{_readable(chosen)}", markup=False, highlight=False)


@benchmarks.command()
@with_options(WorkerOptions)
def check(
    name: Name,
    options: WorkerOptions,
    repeats: Annotated[int, typer.Option(min=1, help="repetitions of each reference")] = 4,
    errata: Errata = True,
    json: args.Json = False,
) -> None:
    """Check a benchmark: its references pass, worthless and cheating programs fail, prompts do not reveal the tests.

    The exit status is 1 if a check fails.
    """
    from dataclasses import asdict

    from benchmarks.doctor import examine
    from benchmarks.registry import open_benchmark
    from harness.errors import QprobeError
    from harness.stages.grade import Budget
    from sandbox import open_sandbox

    terminal, budget = Terminal(), Budget()
    benchmark = open_benchmark(name, errata=errata)
    benchmark.problems()  # raises before a sandbox is opened
    with open_sandbox(options.sandbox, options.workers, options.image, runtime=options.runtime) as pool:
        limits = {"limits": budget.base, "of_references": budget.of_references}
        checks = list(examine(benchmark, pool, **limits, repeats=repeats, progress=terminal.task))
    if json:
        print(jsonlib.dumps([{**asdict(result), "fails": result.fails} for result in checks], indent=1))
    else:
        terminal.out.print(checks_table(checks))
        print_findings(checks, terminal)
    if failed := [result.name for result in checks if result.fails]:
        raise QprobeError(f"{benchmark.name}: {len(failed)} of {len(checks)} checks failed: {'; '.join(failed)}.")


@benchmarks.command()
def fetch(name: Name) -> None:
    """Fetch a benchmark's data from the hub, so that it can be used offline."""
    from benchmarks.registry import open_benchmark

    benchmark = open_benchmark(name)
    fetch_data = getattr(benchmark, "fetch", None)
    copy = fetch_data() if fetch_data else None
    problems = benchmark.problems()
    place = f"cached in {copy}" if copy else "nothing to fetch, its data is on this machine"
    Terminal().message(f"{benchmark.name}: {len(problems):,} problems; {place}.")


@benchmarks.command()
def new(
    name: Annotated[str, typer.Argument(help="name of the module: lower-case letters, digits and underscores")],
) -> None:
    """Create a small working benchmark to start from: NAME.py and test_NAME.py in the current folder."""
    from benchmarks.skeleton import write_skeleton

    for path in write_skeleton(name, Path()):
        print(path)
    Terminal().message(f"Check it with qprobe benchmarks check {name}.py; use it with --benchmark {name}.py.")


def _readable(problem: "Problem") -> str:
    """The tests for a reader; for a whole program, its inputs and the expected outputs."""
    from sandbox.cases import cases_of

    if not problem.language:
        return problem.tests
    return "\n".join(f"{case.input.rstrip()}\n-->\n{case.output.rstrip()}\n" for case in cases_of(problem.tests))


def _card(benchmark: "Benchmark", problems: "Sequence[Problem]") -> dict[str, Any]:
    from benchmarks.errata import errata_of
    from benchmarks.problem import problems_digest

    return {
        "name": benchmark.name,
        "problems": len(problems),
        "splits": Counter(problem.split for problem in problems),
        "licence": getattr(benchmark, "licence", "unknown"),
        "sha256": problems_digest(problems),
        "errata": errata.described if (errata := errata_of(benchmark)) else None,
        **({"left_out": left_out} if (left_out := getattr(benchmark, "left_out", ())) else {}),
    }


def checks_table(checks: "Sequence[Check]", unit: str = "problems") -> Table:
    """Return the results of checks, one row each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("check", "result", unit):
        table.add_column(title, no_wrap=True, justify="right" if title == unit else "left")
    table.add_column("")
    for one in checks:
        count = len(one.findings)
        result = f"FAILED on {count}" if one.fails else f"{count} noted" if count else "ok"
        result += f", {len(one.known)} known" if one.known else ""
        table.add_row(one.name, result, str(one.looked_at), one.note, style="bold red" if one.fails else None)
    return table


def print_findings(checks: "Sequence[Check]", terminal: Terminal) -> None:
    """Print the first findings of each check."""
    for one in checks:
        if one.findings or one.known:
            terminal.out.print(f"{one.name}:", style="bold red" if one.fails else "bold", highlight=False)
        for finding in one.findings[:SHOWN]:
            terminal.out.print(f"  {finding.problem_id}  {finding.detail}", markup=False, highlight=False)
        for finding in one.known:
            terminal.out.print(f"  known: {finding.problem_id}  {finding.detail}", markup=False, highlight=False)
        if (more := len(one.findings) - SHOWN) > 0:
            terminal.out.print(f"  and {more} more; --json lists all", markup=False, highlight=False)
