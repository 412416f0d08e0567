"""What a figure of the page is."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reports.report import Report
from harness.stats import TableRow

COLOURS = 8
"""How many the style sheet has; more series go round again."""

SKYLINE, BASE, PLAIN = "sky", "base", "plain"
"""The classes of pass@k, of pass@1, and of whatever needs no probe."""


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a figure's legend. A series that is `off` is drawn when its key is pressed."""

    name: str
    css: str
    off: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """Drawn axes with their words."""

    name: str  # its anchor in the page
    title: str
    caption: str
    panels: tuple[str, ...]  # SVG, one or several side by side
    keys: tuple[Key, ...] = ()
    wide: bool = False


def colours(report: Report) -> dict[str, str]:
    """The class of each objective's colour, the same in every figure."""
    return {name: f"c{i % COLOURS}" for i, name in enumerate(report.chosen)}


def keys_of(report: Report, names: Sequence[str], shown: Sequence[str] = ()) -> tuple[Key, ...]:
    """Legend entries: objectives in their colours, all else plain; objectives outside `shown`, if given, start off."""
    css = {**colours(report), "pass@k": SKYLINE, "oracle": SKYLINE, "pass@1": BASE}
    return tuple(Key(name, css.get(name, PLAIN), bool(shown) and name not in shown) for name in names)


def base_row(report: Report) -> TableRow:
    """The row that everything is compared with."""
    return next(row for row in report.rows if row.name == "pass@1")
