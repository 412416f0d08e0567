"""The main numbers at the top of the page."""

import math
from dataclasses import dataclass

from harness.reports.render.numbers import interval, short
from harness.reports.render.tables import p_value
from harness.reports.report import Report
from harness.stats import TableRow


@dataclass(frozen=True, slots=True)
class Tile:
    """A number, its name, and its interval or meaning."""

    name: str
    value: str
    more: str


def tiles(report: Report) -> list[Tile]:
    """Return pass@1, the best probe, its gain, the share of the headroom it recovers, and the oracle."""
    rows = {row.name: row for row in report.rows}
    tiles = [_tile("pass@1", rows.get("pass@1"))]
    probes = [rows[name] for name in report.hyperparameters if name in rows]
    if probes:
        best = max(probes, key=lambda row: row.value)
        rank = f"best of {len(probes)} objectives" if len(probes) > 1 else "probe"
        gain_interval = interval(best.gain_low, best.gain_high, "+")
        tiles.append(_tile(f"{best.name}, {rank}", best))
        tiles.append(Tile("gain over pass@1", short(best.gain, "+"), f"{gain_interval}, p {_p(best)}"))
        if math.isfinite(best.headroom):
            tiles.append(Tile("headroom", f"{best.headroom:.0%}", "of the way from pass@1 to the oracle"))
    oracle = [row for row in report.rows if row.name.startswith("pass@")][-1]
    return [*tiles, _tile(oracle.name, oracle if oracle.name != "pass@1" else None)]


def _tile(name: str, row: TableRow | None) -> Tile:
    if row is None or math.isnan(row.value):
        return Tile(name, "–", "unknown")
    return Tile(name, short(row.value), interval(row.low, row.high))


def _p(row: TableRow) -> str:
    text = p_value(row)
    return text if text.startswith("<") else f"= {text}"
