"""A comparison of runs as tables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.compare import Comparison
from harness.reports.render.numbers import interval, model_text, p_text, short
from harness.reports.render.text import Cells, TableCells, terminal_table


def heading(found: Comparison) -> str:
    """What is compared, in one line."""
    return f"{', '.join(found.runs)}: {found.problems} common problems of {found.benchmark}"


def notes(found: Comparison) -> list[str]:
    """What a reader must know to judge the tables."""
    lines = [f"{run}: samples of {model_text(source)}." for run, source in zip(found.runs, found.sources, strict=True)]
    if found.left_out:
        lines.append(f"{found.left_out} problems are left out: some run lacks them, or has them with other tests.")
    return [
        *lines,
        "Intervals: 95 %, bootstrap over problems; differences and p-values paired by problem, p corrected by Holm "
        f"for {len(found.differences)} differences.",
    ]


def value_cells(found: Comparison) -> TableCells:
    """Each row in each run: header and rows."""
    known = {(cell.row, cell.run): cell for cell in found.cells}
    rows = []
    for row in dict.fromkeys(cell.row for cell in found.cells):
        cells = [known.get((row, run)) for run in found.runs]
        rows.append((row, *("" if c is None else f"{short(c.value)} {interval(c.low, c.high)}" for c in cells)))
    return ("selection", *found.runs), rows


def difference_cells(found: Comparison) -> TableCells:
    """Each run less the first: header and rows."""
    rows: list[Cells] = [
        (each.row, each.run, short(each.value, "+"), interval(each.low, each.high, "+"), p_text(each.p_holm))
        for each in found.differences
    ]
    return ("selection", "run", f"less {found.runs[0]}", "95 % interval", "p"), rows


def tables(found: Comparison) -> list[TableCells]:
    """All of them that have rows."""
    return [(header, rows) for header, rows in (value_cells(found), difference_cells(found)) if rows]


def terminal(found: Comparison) -> RenderableType:
    """The comparison for a terminal."""
    return Group(
        Text(heading(found), style="bold"),
        *(terminal_table(header, rows, is_sure) for header, rows in tables(found)),
        *(Text(line, style="dim") for line in notes(found)),
    )


def is_sure(row: Cells) -> bool:
    """Whether a row is a difference whose whole interval lies on one side of zero."""
    return len(row) == 5 and _signs(row[3]) in (["+", "+"], ["-", "-"])


def _signs(text: str) -> Sequence[str]:
    return [character for character in text if character in "+-"]
