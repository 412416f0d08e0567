"""The main numbers at the top of the page."""

import math
from dataclasses import dataclass

from harness.reports.render.headline import headline, p_equals
from harness.reports.render.numbers import interval, short
from harness.reports.report import Report
from harness.stats import TableRow


@dataclass(frozen=True, slots=True)
class Tile:
    """A number, its name, and its interval or meaning."""

    name: str
    value: str
    more: str


def tiles(report: Report) -> list[Tile]:
    """Return a probe's difference from the best baseline without labels, both figures, pass@1 and the oracle."""
    rows = {row.name: row for row in report.rows}
    oracle = [row for row in report.rows if row.name.startswith("pass@")][-1]
    base = [_tile("pass@1, one sample", rows["pass@1"])]
    top = [_tile(f"{oracle.name}, any sample", oracle)] if oracle.name != "pass@1" else []
    return [*_compared(report), *base, *top]


def _compared(report: Report) -> list[Tile]:
    head = headline(report)
    if head is None:
        return []
    name, other = head.probe.name, head.baseline.name
    p = f"p {p_equals(head.p)}".replace(" ", "\N{NO-BREAK SPACE}")
    difference = f"{interval(head.low, head.high, '+')}, {p}"
    best = f"{other}, highest baseline without labels"
    return [
        Tile(f"probe {name} against {other}", short(head.value, "+"), difference),
        _tile(f"probe {name}", head.probe),
        *([] if other == "pass@1" else [_tile(best, head.baseline)]),
    ]


def _tile(name: str, row: TableRow) -> Tile:
    if math.isnan(row.value):
        return Tile(name, "–", "unknown")
    return Tile(name, short(row.value), interval(row.low, row.high))
