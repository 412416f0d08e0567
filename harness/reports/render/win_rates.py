"""A table of win rates as text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reports.render.numbers import interval, short
from harness.reports.render.text import Cells, TableCells

if TYPE_CHECKING:
    from harness.stats.win_rates import WinRate

NOTE = (
    "Win rates: ties count one half; 95 % intervals over prompts. At equal length: what a logistic regression on the "
    "difference of lengths predicts for replies of equal length."
)


def win_rate_cells(rows: "Sequence[WinRate]") -> TableCells:
    """Return header and rows; the columns of invalid verdicts and ties only where there are any."""
    header = ("reply", "against", "prompts", "win rate", "95 % interval", "at equal length", "95 % interval")
    cells: list[Cells] = [
        (
            row.name,
            row.other,
            str(row.prompts),
            short(row.rate),
            interval(row.low, row.high),
            short(row.controlled),
            interval(row.controlled_low, row.controlled_high),
            str(row.ties),
            str(row.invalid),
        )
        for row in rows
    ]
    return (*header, "ties", "invalid"), cells


def win_rate_notes(agreement: float, invalid: int) -> list[str]:
    """Return what a reader needs to judge the table."""
    lines = [NOTE]
    if math.isfinite(agreement):
        lines.append(f"The judge names the same reply in both orders in {agreement:.1%} of the comparisons.")
    if invalid:
        lines.append(f"Answers of the judge that name no reply: {invalid:,}. They were asked for again; none is a win.")
    return lines
