"""A transfer report as tables: for the terminal (rich) and as Markdown."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.tables import ROW_HEADER, is_gain, row_cells
from harness.reports.text import markdown_table, terminal_table

if TYPE_CHECKING:
    from harness.transferring import Tested, TransferReport


def heading(report: "TransferReport", test: "Tested") -> str:
    """What was trained and tested on, in one line."""
    learnt = f"trained on {report.problems} problems of {report.train}"
    return f"{test.name}: {test.problems} problems, {test.samples:,} samples; {learnt}"


def notes(report: "TransferReport") -> list[str]:
    """What a reader must know to judge the tables."""
    lines = [
        "No test problem was trained on, and nothing was chosen on one.",
        "Intervals: 95 %, bootstrap over problems; gains and p-values paired by problem, p corrected by Holm.",
    ]
    lines += [
        f"{test.no_signal} of {test.problems} problems of {test.name} carry no ranking signal (all pass, or all fail)."
        for test in report.tests
        if test.no_signal
    ]
    if twins := len(report.near_duplicates):
        done = "were left out" if report.left_out else "were learnt from; --leave-out-duplicates leaves them out"
        lines.append(f"{twins} training problems whose prompts nearly agree with a test problem's {done}.")
    return lines


def transfer_tables(report: "TransferReport") -> RenderableType:
    """A table a test set, for a terminal."""
    parts: list[RenderableType] = []
    for test in report.tests:
        rows = list(map(row_cells, test.rows))
        parts += [Text(heading(report, test), style="bold"), terminal_table(ROW_HEADER, rows, is_gain)]
    return Group(*parts, *(Text(line, style="dim") for line in notes(report)))


def transfer_markdown(report: "TransferReport") -> str:
    """A table a test set, as Markdown."""
    parts = [
        f"## {heading(report, test)}\n\n{markdown_table(ROW_HEADER, list(map(row_cells, test.rows)))}"
        for test in report.tests
    ]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in notes(report))]) + "\n"
