"""The figures of the page: titles, captions, legends and SVG panels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.reports.render.html.marks import sample
from harness.reports.report import Report
from harness.stats import TableRow

COLOURS = 8
"""The colours of the style sheet; further series start over."""

BASELINES = 12
"""The line styles of baselines in the style sheet."""

ORACLE, BASE, PLAIN = "oracle", "base", "plain"
"""The classes of pass@k, of pass@1, and of everything else without a probe."""


BARS = 820
"""Width of a panel that fills a broad window."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size that a panel is drawn in; the style sheet shows the one that fits the window."""

    css: str
    width: int
    height: int
    longest: int  # characters of the names beside lines

    @property
    def both(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


SMALL = (196, 190)
"""Size of one of several panels side by side, two of which fit a phone."""

BROAD, NARROW = Size("broad", 528, 340, 14), Size("narrow", 348, 310, 11)


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a figure's legend. A series that is `off` is hidden until its key is pressed."""

    name: str
    css: str
    off: bool = False

    @property
    def sample(self) -> str:
        """A piece of its line, as SVG."""
        return sample(self.css)


@dataclass(frozen=True, slots=True)
class Figure:
    """Axes as SVG with their title, caption and legend."""

    name: str  # its anchor in the page
    title: str
    caption: str
    panels: tuple[str, ...]  # SVG: the same for windows of two widths, or several side by side
    keys: tuple[Key, ...] = ()
    wide: bool = False
    small: bool = False  # the panels are small multiples


def drawn(draw: Callable[[Size], str]) -> tuple[str, ...]:
    """Return a panel in both sizes."""
    return draw(BROAD), draw(NARROW)


def colours(report: Report) -> dict[str, str]:
    """Return the class of each objective's colour, the same in every figure."""
    return {name: f"c{i % COLOURS}" for i, name in enumerate(report.hyperparameters)}


def keys_of(report: Report, names: Sequence[str], shown: Sequence[str] = ()) -> tuple[Key, ...]:
    """Return legend entries: objectives in their colours, others plain; names outside `shown`, if given, are off."""
    css = {**colours(report), "pass@k": ORACLE, "oracle": ORACLE, "pass@1": BASE}
    plain = [name for name in names if name not in css]
    css |= {name: f"{PLAIN} p{i % BASELINES}" for i, name in enumerate(plain)}
    return tuple(Key(name, css[name], bool(shown) and name not in shown) for name in names)


def base_row(report: Report) -> TableRow:
    """Return the row that all others are compared with."""
    return next(row for row in report.rows if row.name == "pass@1")
