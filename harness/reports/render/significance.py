"""The p-value of a row: what every mark, colour and sentence goes by."""

import math

from harness.reports.render.numbers import p_text
from harness.stats import TableRow


def p_value(row: TableRow) -> str:
    """Return the row's p-value as text, the corrected one if it has one."""
    return p_text(_p(row))


def _p(row: TableRow) -> float:
    return row.p if math.isnan(row.p_holm) else row.p_holm


def is_significant(row: TableRow) -> bool:
    """Return True where a gain or loss is significant after correction: what every mark and sentence goes by.

    What rounds to zero is neither: the p-value of the smallest differences says nothing of their worth.
    """
    return _p(row) < 0.05 and abs(row.gain) >= 0.0005
