"""The few numbers at the top of the page."""

import math
from dataclasses import dataclass

from harness.reports.render.numbers import interval, short
from harness.reports.render.tables import p_value
from harness.reports.report import Report
from harness.stats import TableRow


@dataclass(frozen=True, slots=True)
class Tile:
    """A number, its name, and what must be said with it."""

    name: str
    value: str
    more: str


def tiles(report: Report) -> list[Tile]:
    """Pass@1, the best probe, its gain, the share of the headroom it recovers, and the oracle."""
    rows = {row.name: row for row in report.rows}
    found = [_plain("pass@1", rows.get("pass@1"))]
    probes = [rows[name] for name in report.chosen if name in rows]
    if probes:
        best = max(probes, key=lambda row: row.value)
        among = f"the best of {len(probes)} objectives" if len(probes) > 1 else "the probe"
        found.append(_plain(f"{best.name}, {among}", best))
        found.append(
            Tile("its gain", short(best.gain, "+"), f"{interval(best.gain_low, best.gain_high, '+')}, p {_p(best)}")
        )
        if math.isfinite(best.headroom):
            found.append(Tile("of the headroom", f"{best.headroom:.0%}", "of the way from pass@1 to the oracle"))
    oracle = [row for row in report.rows if row.name.startswith("pass@")][-1]
    return [*found, _plain(oracle.name, oracle if oracle.name != "pass@1" else None)]


def _plain(name: str, row: TableRow | None) -> Tile:
    if row is None or math.isnan(row.value):
        return Tile(name, "–", "not known")
    return Tile(name, short(row.value), interval(row.low, row.high))


def _p(row: TableRow) -> str:
    text = p_value(row)
    return text if text.startswith("<") else f"= {text}"
