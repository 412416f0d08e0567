"""The command that compares runs."""

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import options as args
from harness.commands.terminal import Terminal

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN RUN ...", help="two run folders or more; the first is the base")
]
Rows = Annotated[
    str | None, typer.Option("--rows", help="rows of the report to compare [default: pass@1, the objectives, pass@k]")
]


def compare(
    runs: Runs,
    rows: Rows = None,
    format_name: args.Format = "table",
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Compare runs, paired by problem. Takes the problems that all of them have."""
    from harness.commands.show import show_comparison
    from harness.reports.compare import compare as compare_runs
    from harness.runs.run_progress import unfinished_run

    terminal = Terminal(quiet=quiet)
    for missing in filter(None, map(unfinished_run, runs)):
        terminal.message(missing)
    wanted = None if rows is None else args.names(rows)
    with terminal.task("Reading runs", len(runs)) as advance:
        comparison = compare_runs(runs, wanted, advance)
    show_comparison(comparison, terminal, "json" if json else format_name)
