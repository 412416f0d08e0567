"""Markers: with the line styles of the style sheet, they tell series apart without colour."""

from xml.etree import ElementTree as Xml

RADIUS = 3.4
MOST = 7
"""Markers on a line: more would hide it."""

_SHAPES = {
    "c1": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),  # square
    "c2": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),  # triangle
    "c3": ((0, -1.3), (1.1, 0), (0, 1.3), (-1.1, 0)),  # diamond
    "c4": ((0, 1.2), (1.1, -0.8), (-1.1, -0.8)),  # triangle, on its tip
    "c5": ((-0.35, -1.3), (0.35, -1.3), (0.35, 1.3), (-0.35, 1.3)),  # bar
    "c6": ((-1, -1), (1, -1), (-1, 1), (1, 1)),  # hourglass
    "c7": ((-0.8, -1.1), (1.2, 0), (-0.8, 1.1)),  # triangle, on its side
}
"""Class of a series -> the corners of its marker, in radii; other series have circles."""


def has_marker(css: str) -> bool:
    """Return True for an objective's class; pass@1, the baselines and the oracle are plain lines."""
    return css[:1] == "c" and css[1:2].isdigit()


def marker(parent: Xml.Element, css: str, x: float, y: float) -> Xml.Element:
    """Draw the marker of a series at a place."""
    shape = _SHAPES.get(css.split()[0])
    if shape is None:
        return Xml.SubElement(parent, "circle", cx=number(x), cy=number(y), r=number(RADIUS))
    corners = " ".join(f"{number(x + dx * RADIUS)},{number(y + dy * RADIUS)}" for dx, dy in shape)
    return Xml.SubElement(parent, "polygon", points=corners)


def sample(css: str) -> str:
    """Return a piece of a series' line with its marker, for a legend."""
    svg = Xml.Element("svg", {"viewBox": "0 0 30 10", "class": f"sample-line {css}", "aria-hidden": "true"})
    group = Xml.SubElement(svg, "g", {"class": f"series {css}"})
    Xml.SubElement(group, "polyline", points="0,5 30,5")
    if has_marker(css):
        marker(group, css, 15, 5)
    return Xml.tostring(svg, encoding="unicode")


def few(count: int) -> list[int]:
    """Return the positions, of `count` points, that have a marker: the first, the last and some between."""
    if count <= MOST:
        return list(range(count))
    return [round(i * (count - 1) / (MOST - 1)) for i in range(MOST)]


def number(value: float) -> str:
    """Format a place with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
