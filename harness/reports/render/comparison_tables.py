"""A comparison of runs as tables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.compare import Comparison
from harness.reports.render.numbers import counted, interval, model_text, p_text, short
from harness.reports.render.text import Cells, TableCells, terminal_table


def heading(comparison: Comparison) -> str:
    """Return the runs and their common problems in one line."""
    if comparison.without_values:
        return f"{', '.join(comparison.runs)}: {comparison.benchmark}, each over its own problems"
    problems = counted(comparison.problems, "common problem")
    return f"{', '.join(comparison.runs)}: {problems} of {comparison.benchmark}"


def notes(comparison: Comparison) -> list[str]:
    """Return the facts that a reader needs to judge the tables."""
    sources = zip(comparison.runs, comparison.sources, strict=True)
    lines = [f"{run}: samples of {model_text(source)}." for run, source in sources]
    if comparison.problems_left_out:
        problems = counted(comparison.problems_left_out, "problem")
        lines.append(f"Left out: {problems} that some run lacks or has with other tests.")
    if comparison.without_values:
        verb = "hold" if len(comparison.without_values) > 1 else "holds"
        return [
            *lines,
            f"{' and '.join(comparison.without_values)} {verb} no values per problem, so nothing is paired and no "
            "difference has an interval. Intervals: 95 %, bootstrap over each run's problems.",
        ]
    return [
        *lines,
        "Intervals: 95 %, bootstrap over problems; differences and p-values are paired by problem, p-values "
        f"Holm-corrected for {counted(len(comparison.differences), 'difference')}.",
    ]


def value_cells(comparison: Comparison) -> TableCells:
    """Return each row in each run: header and rows."""
    by_place = {(cell.row, cell.run): cell for cell in comparison.cells}
    rows = []
    for row in dict.fromkeys(cell.row for cell in comparison.cells):
        cells = [by_place.get((row, run)) for run in comparison.runs]
        rows.append((row, *("" if c is None else f"{short(c.value)} {interval(c.low, c.high)}" for c in cells)))
    return ("selection", *comparison.runs), rows


def difference_cells(comparison: Comparison) -> TableCells:
    """Return each run less the first: header and rows."""
    rows: list[Cells] = [
        (item.row, item.run, short(item.value, "+"), interval(item.low, item.high, "+"), p_text(item.p_holm))
        for item in comparison.differences
    ]
    return ("selection", "run", f"minus {comparison.runs[0]}", "95 % interval", "p"), rows


def tables(comparison: Comparison) -> list[TableCells]:
    """Return every table that has rows, as header and rows."""
    return [(header, rows) for header, rows in (value_cells(comparison), difference_cells(comparison)) if rows]


def terminal(comparison: Comparison) -> RenderableType:
    """Render the comparison for a terminal."""
    return Group(
        Text(heading(comparison), style="bold"),
        *(terminal_table(header, rows, is_significant) for header, rows in tables(comparison)),
        *(Text(line, style="dim") for line in notes(comparison)),
    )


def is_significant(row: Cells) -> bool:
    """Return True for a difference whose whole interval lies on one side of zero."""
    return len(row) == 5 and _signs(row[3]) in (["+", "+"], ["-", "-"])


def _signs(text: str) -> Sequence[str]:
    return [character for character in text if character in "+-"]
