"""A transfer report as tables: for the terminal (rich) and as Markdown."""

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.render.notes import INTERVALS, among_k
from harness.reports.render.numbers import counted
from harness.reports.render.rules import RULES
from harness.reports.render.tables import ROW_HEADER, at_k_cells, gains_by_rule, is_gain, row_cells
from harness.reports.render.text import TableCells, markdown_table, terminal_table
from harness.reports.transfer import Tested, TransferReport


def heading(report: TransferReport, test: Tested) -> str:
    """Return the test set and the training set in one line."""
    counts = f"{counted(test.problems, 'problem')}, {counted(test.samples, 'sample')}"
    return f"{test.name}: {counts}; trained on {counted(report.problems, 'problem')} of {report.train}"


def notes(report: TransferReport) -> list[str]:
    """Return the facts that a reader needs to judge the tables."""
    lines = ["No probe was trained on a test problem, and nothing was selected on one.", INTERVALS]
    lines += [
        f"{test.problems_without_signal} of {counted(test.problems, 'problem')} of {test.name} carry no ranking signal "
        "(all samples pass, or all fail)."
        for test in report.tests
        if test.problems_without_signal
    ]
    lines += [RULES] if any(test.rules for test in report.tests) else []
    lines += dict.fromkeys(line for test in report.tests for line in among_k(test))
    if report.near_duplicates:
        twins = counted(len(report.near_duplicates), "training problem")
        action = "left out" if report.left_out else "trained on; --leave-out-duplicates leaves them out"
        lines.append(f"Near-duplicates: the prompts of {twins} nearly agree with a test problem's; {action}.")
    return lines


def _tables(report: TransferReport, test: Tested) -> list[TableCells]:
    by_rule = gains_by_rule(test, {name: [selected] for name, selected in report.hyperparameters.items()})
    sections: list[TableCells] = [(ROW_HEADER, list(map(row_cells, test.rows))), by_rule, at_k_cells(test)]
    return [(header, rows) for header, rows in sections if rows]


def transfer_tables(report: TransferReport) -> RenderableType:
    """Render the tables of each test set for a terminal."""
    parts: list[RenderableType] = []
    for test in report.tests:
        rendered = [terminal_table(header, rows, is_gain) for header, rows in _tables(report, test)]
        parts += [Text(heading(report, test), style="bold"), *rendered]
    return Group(*parts, *(Text(line, style="dim") for line in notes(report)))


def transfer_markdown(report: TransferReport) -> str:
    """Render the tables of each test set as Markdown."""
    parts = []
    for test in report.tests:
        rendered = [markdown_table(header, rows) for header, rows in _tables(report, test)]
        parts += [f"## {heading(report, test)}", *rendered]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in notes(report))]) + "\n"
