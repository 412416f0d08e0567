"""The figures of the page: titles, captions, legends and SVG panels."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reports.report import Report
from harness.stats import TableRow

COLOURS = 8
"""The colours of the style sheet; further series start over."""

ORACLE, BASE, PLAIN = "oracle", "base", "plain"
"""The classes of pass@k, of pass@1, and of everything else without a probe."""


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a figure's legend. A series that is `off` is hidden until its key is pressed."""

    name: str
    css: str
    off: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """Axes as SVG with their title, caption and legend."""

    name: str  # its anchor in the page
    title: str
    caption: str
    panels: tuple[str, ...]  # SVG, side by side
    keys: tuple[Key, ...] = ()
    wide: bool = False


def colours(report: Report) -> dict[str, str]:
    """Return the class of each objective's colour, the same in every figure."""
    return {name: f"c{i % COLOURS}" for i, name in enumerate(report.hyperparameters)}


def keys_of(report: Report, names: Sequence[str], shown: Sequence[str] = ()) -> tuple[Key, ...]:
    """Return legend entries: objectives in their colours, others plain; names outside `shown`, if given, are off."""
    css = {**colours(report), "pass@k": ORACLE, "oracle": ORACLE, "pass@1": BASE}
    return tuple(Key(name, css.get(name, PLAIN), bool(shown) and name not in shown) for name in names)


def base_row(report: Report) -> TableRow:
    """Return the row that all others are compared with."""
    return next(row for row in report.rows if row.name == "pass@1")
