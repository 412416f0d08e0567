"""The figures of a report. Each is left out where the report has nothing for it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.numbers import Row
from harness.pages.plot import Plot
from harness.pages.scale import padded
from harness.reporting import Report

SERIES = 8  # colours in the style sheet; more series go round again


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a figure's legend."""

    name: str
    css: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn figure with its words."""

    name: str  # its anchor in the page
    title: str
    caption: str
    svg: str
    keys: tuple[Key, ...] = ()
    wide: bool = False


def figures(report: Report) -> list[Figure]:
    """Every figure for which the report has numbers, in the order of the page."""
    drawn = (draw(report) for draw in FIGURES)
    return [figure for figure in drawn if figure is not None]


def colours(report: Report) -> dict[str, str]:
    """The class of each objective's colour, the same in every figure."""
    return {name: f"c{i % SERIES}" for i, name in enumerate(report.chosen)}


def selection(report: Report) -> Figure | None:
    """Expected reward under every rule of selection, with intervals, and the base rate as a line."""
    rows = [row for row in report.rows if math.isfinite(row.value)]
    if not rows:
        return None
    css = colours(report)
    places = [(len(rows) - 1 - i, row) for i, row in enumerate(rows)]
    high = max(1.0 if math.isnan(row.high) else row.high for row in rows)
    plot = Plot(
        (0, min(1.0, high * 1.08)),
        (-0.6, len(rows) - 0.4),
        titles=("pass@1 of what is selected", ""),
        size=(960, 46 + 25 * len(rows)),
        left=170,
        y_ticks=[(at, row.name) for at, row in places],
    )
    plot.rule("base", x=rows[0].value, name="pass@1")
    for at, row in places:
        plot.bar(at, row.value, css.get(row.name, "plain"), _said(row))
        if math.isfinite(row.low):
            plot.whisker((row.low, at), (row.high, at))
    caption = "Bars are means over problems, whiskers 95 % bootstrap intervals; the dashed line is pass@1."
    return Figure("selection", "Probed against baseline", caption, str(plot), wide=True)


def _said(row: Row) -> str:
    text = f"{row.name}: {row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"
    return text if math.isnan(row.gain) or row.name == "pass@1" else f"{text}, gain {row.gain:+.3f}"


def best_of_k(report: Report) -> Figure | None:
    """Best of k for every objective, with pass@k above it and pass@1 below."""
    if len(report.ks) < 2:
        return None
    css = {**colours(report), "pass@k": "sky"}
    values = [value for curve in report.curves for value in curve.values if value is not None]
    base = report.rows[0].value
    plot = Plot(
        (report.ks[0], report.ks[-1]),
        padded(min([*values, base]), max(values)),
        titles=("k, samples that stand for choice", "expected pass@1"),
        x_log=report.ks[0] > 0,
    )
    plot.rule("base", y=base, name="pass@1")
    for curve in report.curves:
        known = [(float(k), value) for k, value in zip(report.ks, curve.values, strict=True) if value is not None]
        plot.line(known, css.get(curve.name, "plain"), curve.name, dots=len(known) < 12)
    keys = tuple(Key(curve.name, css.get(curve.name, "plain")) for curve in report.curves)
    caption = "The best-scored of k samples, exactly over all subsets of k; pass@k bounds it, pass@1 is one at random."
    return Figure("best-of-k", "Best of k", caption, str(plot), (*keys, Key("pass@1", "base")))


def statuses(report: Report) -> Figure | None:
    """How many programs ended in each way."""
    rows = list(report.statuses.items())
    if not rows:
        return None
    total = sum(report.statuses.values())
    plot = Plot(
        (0, max(report.statuses.values()) * 1.3),
        (-0.6, len(rows) - 0.4),
        titles=("programs", ""),
        size=(480, 52 + 28 * len(rows)),
        left=76,
        y_ticks=[(len(rows) - 1 - i, name) for i, (name, _) in enumerate(rows)],
    )
    for i, (name, count) in enumerate(rows):
        at = len(rows) - 1 - i
        plot.bar(at, count, "good" if name == "passed" else "bad", f"{name}: {count:,}")
        plot.label(count, at, f"{count:,} ({count / total:.1%})", dx=6)
    return Figure("statuses", "Verdicts by status", "How every program ended in the sandbox.", str(plot))


FIGURES: tuple[Callable[[Report], Figure | None], ...] = (selection, best_of_k, statuses)


def legend_order(drawn: list[Figure]) -> Iterator[str]:
    """The names of all series, once each."""
    yield from dict.fromkeys(key.name for figure in drawn for key in figure.keys)
