"""A transfer report as tables: for the terminal (rich) and as Markdown."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.render.tables import OF_K, ROW_HEADER, at_k_cells, is_gain, row_cells
from harness.reports.render.text import TableCells, markdown_table, terminal_table

if TYPE_CHECKING:
    from harness.stages.transfer import Tested, TransferReport


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
    lines += [OF_K] if any(test.at_k for test in report.tests) else []
    if twins := len(report.near_duplicates):
        done = "were left out" if report.left_out else "were learnt from; --leave-out-duplicates leaves them out"
        lines.append(f"{twins} training problems whose prompts nearly agree with a test problem's {done}.")
    return lines


def _tables(test: "Tested") -> list[TableCells]:
    every: list[TableCells] = [(ROW_HEADER, list(map(row_cells, test.rows))), at_k_cells(test)]
    return [(header, rows) for header, rows in every if rows]


def transfer_tables(report: "TransferReport") -> RenderableType:
    """The tables of each test set, for a terminal."""
    parts: list[RenderableType] = []
    for test in report.tests:
        shown = [terminal_table(header, rows, is_gain) for header, rows in _tables(test)]
        parts += [Text(heading(report, test), style="bold"), *shown]
    return Group(*parts, *(Text(line, style="dim") for line in notes(report)))


def transfer_markdown(report: "TransferReport") -> str:
    """The tables of each test set, as Markdown."""
    parts = []
    for test in report.tests:
        shown = [markdown_table(header, rows) for header, rows in _tables(test)]
        parts += [f"## {heading(report, test)}", *shown]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in notes(report))]) + "\n"
