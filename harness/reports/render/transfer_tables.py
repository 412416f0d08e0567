"""A transfer report as tables: for the terminal (rich) and as Markdown."""

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.render.notes import INTERVALS, among_k
from harness.reports.render.numbers import counted, interval, p_text, short
from harness.reports.render.rules import RULES
from harness.reports.render.tables import ROW_HEADER, at_k_cells, gain_cell, gains_by_rule, is_gain, row_cells
from harness.reports.render.text import Cells, TableCells, markdown_table, terminal_table
from harness.reports.transfer import Gains, Tested, TransferReport

SEEDS = (
    "Seeds: each problem's mean over trainings with different seeds, over the problems with so many samples; spread is "
    "the standard deviation over seeds of the mean over problems."
)


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
    lines += [SEEDS] if any(test.by_seed for test in report.tests) else []
    lines += [RULES] if any(test.rules for test in report.tests) else []
    lines += dict.fromkeys(line for test in report.tests for line in among_k(test))
    if report.near_duplicates:
        twins = counted(len(report.near_duplicates), "training problem")
        action = "left out" if report.left_out else "trained on; --leave-out-duplicates leaves them out"
        lines.append(
            f"Near-duplicates: the description or reference of {twins} nearly agrees with a test problem's; {action}."
        )
    return lines


def _seed_cells(test: Tested) -> list[TableCells]:
    """Return the table over seeds, and its differences: header and rows each."""
    if (table := test.by_seed) is None:
        return []
    rows: list[Cells] = [
        (*row_cells(row)[:5], short(table.spread.get(row.name, math.nan)), row_cells(row)[5]) for row in table.rows
    ]
    pairs: list[Cells] = [
        (f"{item.name} - {item.other}", short(item.value, "+"), interval(item.low, item.high, "+"), p_text(item.p_holm))
        for item in table.differences
    ]
    title = f"among {table.k}, {counted(len(table.seeds), 'seed')}"
    return [((title, *ROW_HEADER[1:5], "spread", "p"), rows), (("difference", "value", "95 % interval", "p"), pairs)]


def _gain_cells(title: str, gains: Sequence[Gains]) -> list[TableCells]:
    """Return the gain of each objective at each setting: header and rows; * is p below .05."""
    if not gains:
        return []
    columns = zip(*(part.rows for part in gains), strict=True)
    rows: list[Cells] = [(own[0].name, *map(gain_cell, own)) for own in columns]
    return [((title, *(part.setting for part in gains)), rows)]


def _tables(report: TransferReport, test: Tested) -> list[TableCells]:
    by_rule = gains_by_rule(test, {name: [selected] for name, selected in report.hyperparameters.items()})
    sections: list[TableCells] = [
        *_seed_cells(test),
        (ROW_HEADER, list(map(row_cells, test.rows))),
        by_rule,
        at_k_cells(test),
        *_gain_cells("gain by training problems", test.learning),
        *_gain_cells("gain by layer", test.by_layer),
    ]
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
