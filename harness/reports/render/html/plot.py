"""One set of axes as SVG.

Colours and line styles are classes of the page's style sheet, so that they follow its theme.
"""

import math
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from harness.reports.render.html.marks import few, has_marker, marker, number
from harness.reports.render.html.scale import Scale, short, spread

Point = tuple[float, float]

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 42
CHARACTER = 6.7
"""Width of a label's character, at most on average."""
LABEL_HEIGHT = 13.0


class Plot:
    """Axes and the marks on them. Places are in the units of the axes; names appear as tooltips."""

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        titles: tuple[str, str],
        size: tuple[int, int] = (480, 320),
        left: int = LEFT,
        right: int = RIGHT,
        top: int = TOP,
        x_log: bool = False,
        x_ticks: Sequence[tuple[float, str]] | None = None,
        y_ticks: Sequence[tuple[float, str]] | None = None,
        heading: Sequence[str] = (),
        css: str = "",
    ) -> None:
        self.width, self.height = size
        self.x = Scale(*x, left, self.width - right, log=x_log)
        self.y = Scale(*y, self.height - BOTTOM, top)
        self.svg = Xml.Element("svg", viewBox=f"0 0 {self.width} {self.height}", role="img")
        self.svg.set("class", f"plot {css}".strip())
        self.svg.set("aria-label", f"{titles[1]} over {titles[0]}" if titles[1] else titles[0])
        self._frame(titles, x_ticks or _labelled_ticks(self.x), y_ticks or _labelled_ticks(self.y))
        for line, text in enumerate(heading):
            _text(self._group("label"), 4, 12 + 15 * line, text, "start", "" if line else "heading")

    def _frame(
        self, titles: tuple[str, str], x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]
    ) -> None:
        grid = self._group("axis")
        for tick, label in x_ticks:
            at = self.x(tick)
            _add(grid, "line", x1=at, x2=at, y1=self.y.start, y2=self.y.end)
            _text(grid, at, self.y.start + 16, label, "middle")
        for tick, label in y_ticks:
            at = self.y(tick)
            _add(grid, "line", x1=self.x.start, x2=self.x.end, y1=at, y2=at)
            _text(grid, self.x.start - 7, at + 4, label, "end")
        _text(grid, (self.x.start + self.x.end) / 2, self.height - 6, titles[0], "middle", "title")
        if titles[1]:
            middle = (self.y.start + self.y.end) / 2
            title = _text(grid, 0, 0, titles[1], "middle", "title")
            title.set("transform", f"translate(11 {number(middle)}) rotate(-90)")

    def _group(self, css: str, name: str = "") -> Xml.Element:
        group = _add(self.svg, "g")
        group.set("class", css)
        if name:
            group.set("data-series", name)
        return group

    def line(self, points: Sequence[Point], css: str, name: str = "", *, dots: bool = False) -> None:
        """Draw a line through points, and the markers of its series on a few of them; with `dots` on all."""
        group = self._group(f"series {css}", name)
        _name(_add(group, "polyline", points=_joined([(self.x(x), self.y(y)) for x, y in points])), name)
        marked = range(len(points)) if dots else few(len(points))
        for x, y in (points[i] for i in marked if has_marker(css)):
            _name(marker(group, css, self.x(x), self.y(y)), _labelled(name, x, y))

    def ends(self, named: Sequence[tuple[Point, str, str]], longest: int) -> None:
        """Label the ends of lines, each a point, name and class, beside the axes; none covers another."""
        named = sorted(named, key=lambda end: self.y(end[0][1]))
        places = spread([self.y(y) for (_, y), _, _ in named], LABEL_HEIGHT, self.y.end + 4, self.y.start + 8)
        at = self.x.end + 14
        for ((x, y), name, css), place in zip(named, places, strict=True):
            group = self._group(f"end {css}", name)
            corners = ((self.x(x) + 5, self.y(y)), (self.x.end + 4, self.y(y)), (at - 2, place))
            _add(group, "polyline", points=_joined(corners))
            _name(_text(group, at, place + 4, shortened(name, longest), "start"), name)

    def band(self, lower: Sequence[Point], upper: Sequence[Point], css: str, name: str = "") -> None:
        """Fill the area between two lines over the same places."""
        places = [(self.x(x), self.y(y)) for x, y in (*lower, *reversed(upper))]
        _add(self._group(f"band {css}", name), "polygon", points=_joined(places))

    def cloud(self, named: Sequence[tuple[float, float, str]], css: str) -> None:
        """Draw named points."""
        group = self._group(f"series cloud {css}")
        for x, y, name in named:
            _name(_add(group, "circle", cx=self.x(x), cy=self.y(y), r=3.2), name)

    def bar(self, at: float, value: float, css: str, title: str = "", *, thick: float = 14, base: float = 0.0) -> None:
        """Draw a horizontal bar from `base` to `value`, at a place of the y axis."""
        start, end = sorted((self.x(base), self.x(value)))
        box = {"x": start, "y": self.y(at) - thick / 2, "width": max(end - start, 0.5), "height": thick, "rx": 2}
        _name(_add(self._group(f"bar {css}"), "rect", **box), title)

    def column(self, left: float, right: float, value: float, css: str, title: str = "") -> None:
        """Draw a vertical bar from zero to `value`, between two places of the x axis."""
        top = self.y(value)
        box = {"x": self.x(left) + 1, "y": top, "width": max(self.x(right) - self.x(left) - 2, 1)}
        _name(_add(self._group(f"bar {css}"), "rect", **box, height=max(self.y(0) - top, 0.5)), title)

    def whisker(self, low: Point, high: Point, css: str = "", name: str = "") -> None:
        """Draw an interval: a line with a cross-bar at both ends."""
        group = self._group(f"whisker {css}", name)
        (x1, y1), (x2, y2) = ((self.x(x), self.y(y)) for x, y in (low, high))
        _add(group, "line", x1=x1, y1=y1, x2=x2, y2=y2)
        dx, dy = (0, 4) if y1 == y2 else (4, 0)
        for x, y in ((x1, y1), (x2, y2)):
            _add(group, "line", x1=x - dx, y1=y - dy, x2=x + dx, y2=y + dy)

    def rule(self, css: str, *, x: float | None = None, y: float | None = None, name: str = "") -> None:
        """Draw a line across the axes at one place."""
        at = {"x1": self.x(x), "x2": self.x(x), "y1": self.y.start, "y2": self.y.end} if x is not None else {}
        if y is not None:
            at = {"x1": self.x.start, "x2": self.x.end, "y1": self.y(y), "y2": self.y(y)}
        _name(_add(self._group(f"rule {css}", name), "line", **at), name)

    def label(self, x: float, y: float, text: str, css: str = "", anchor: str = "start", *, dx: float = 0) -> None:
        """Write text at a place, `dx` to the right of it."""
        _text(self._group(f"label {css}"), self.x(x) + dx, self.y(y) + 4, text, anchor)

    def cell(self, left: Point, right: Point, shade: float, title: str) -> None:
        """Fill the rectangle between two corners with opacity `shade`, 0 to 1."""
        (x1, y1), (x2, y2) = ((self.x(x), self.y(y)) for x, y in (left, right))
        box = {"x": min(x1, x2), "y": min(y1, y2), "width": abs(x2 - x1), "height": abs(y2 - y1)}
        _name(_add(self._group("cell"), "rect", **box, **{"fill-opacity": shade}), title)

    def __str__(self) -> str:
        return Xml.tostring(self.svg, encoding="unicode", short_empty_elements=True)


def margin(names: Sequence[str], longest: int) -> int:
    """Return the right margin that the labels of `Plot.ends` need."""
    return 20 + math.ceil(CHARACTER * max(min(len(name), longest) for name in names))


def _labelled_ticks(scale: Scale) -> list[tuple[float, str]]:
    """Return at least four ticks with their labels; fewer where the labels would touch."""
    for least in (4, 3, 2):
        ticks = [(tick, short(tick)) for tick in scale.ticks(least)]
        gap = abs(scale.end - scale.start) / len(ticks)
        if max(len(label) for _, label in ticks) * CHARACTER + 4 <= gap:
            break
    return ticks


def _add(parent: Xml.Element, tag: str, **attributes: float | str) -> Xml.Element:
    """Add a child element; the library escapes its attributes and text."""
    return Xml.SubElement(parent, tag, {k: v if isinstance(v, str) else number(v) for k, v in attributes.items()})


def _text(parent: Xml.Element, x: float, y: float, content: str, anchor: str, css: str = "") -> Xml.Element:
    text = _add(parent, "text", x=x, y=y, **{"text-anchor": anchor, **({"class": css} if css else {})})
    text.text = content
    return text


def _name(element: Xml.Element, name: str) -> None:
    """Give the element a tooltip."""
    if name:
        _add(element, "title").text = name


def _labelled(name: str, x: float, y: float) -> str:
    return f"{name}: {y:.3f} at {x:g}"


def _joined(places: Sequence[Point]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in places)


def shortened(name: str, longest: int) -> str:
    """Return the name, or its beginning with an ellipsis."""
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip()}…"
