"""Figures of the reward of selection: bars, curves over k, and curves over the distance from the base policy."""

import math
from collections.abc import Sequence
from functools import partial

from harness.reports.render.headline import controls
from harness.reports.render.html.bars import bars
from harness.reports.render.html.figure import (
    BASE,
    PLAIN,
    SMALL,
    Figure,
    Key,
    Size,
    base_row,
    colours,
    drawn,
    keys_of,
)
from harness.reports.render.html.plot import Plot, Point, margin
from harness.reports.render.html.scale import padded, sample_ticks
from harness.reports.render.numbers import interval, short
from harness.reports.report import CurveSeries, LearningCurve, Report
from harness.stats import TableRow, Tradeoff


def selection(report: Report) -> Figure:
    """Return the expected reward of every selection rule with its interval, and pass@1 as a line."""
    title = "Probes and baselines" if report.has_probes else "Baselines"
    caption = "Bars are means over problems, whiskers 95 % bootstrap intervals; the dotted line is pass@1. "
    rows = [row for row in report.rows if math.isfinite(row.value)]
    base = (base_row(report).value, "pass@1")
    panels = bars(rows, "pass@1 of the selected sample", base, colours(report), _tooltip)
    return Figure("selection", title, caption + controls(report), panels, wide=True)


def _tooltip(row: TableRow) -> str:
    text = f"{row.name}: {short(row.value)} {interval(row.low, row.high)}"
    return text if math.isnan(row.gain) or row.name == "pass@1" else f"{text}, gain {short(row.gain, '+')}"


def best_of_k(report: Report) -> Figure | None:
    """Return best of k for every objective, between pass@1 and pass@k."""
    if len(report.best_of_k.k) < 2:
        return None
    names = [line.name for line in report.best_of_k.lines]
    keys = keys_of(report, names, [*report.hyperparameters, "pass@k", "pass@1"] if report.has_probes else names)
    caption = (
        "The best-scored of k samples, exactly over all subsets of k. pass@k bounds every rule; pass@1 selects at "
        "random. Hover over a name for its 95 % interval; click it to hide or show its line."
    )
    return Figure(
        "best-of-k", "pass@1 by number of samples", caption, drawn(partial(_best_of_k_panel, report, keys)), keys
    )


def _best_of_k_panel(report: Report, keys: Sequence[Key], size: Size) -> str:
    ks, lines = report.best_of_k.k, report.best_of_k.lines
    seen = [value for line in lines for value in line.value if math.isfinite(value)]
    plot = Plot(
        (ks[0], ks[-1]),
        padded(min(seen), max(seen)),
        titles=("samples to select from, k", "pass@1 of the best-scored"),
        size=size.both,
        right=margin([key.name for key in keys], size.longest),
        x_log=True,
        x_ticks=sample_ticks(ks[-1]),
        css=size.css,
    )
    ends = []
    for line, key in zip(lines, keys, strict=True):
        if points := _line_with_band(plot, ks, line, key.css):
            ends.append((points[-1], key.name, key.css))
    plot.ends(ends, size.longest)
    return str(plot)


def _line_with_band(plot: Plot, xs: Sequence[float], line: CurveSeries, css: str) -> list[Point]:
    """Draw the line, and its interval as a band; return its points."""
    places = [
        (float(x), value, low, high)
        for x, value, low, high in zip(xs, line.value, line.low, line.high, strict=True)
        if math.isfinite(value + low + high)
    ]
    points = [(x, value) for x, value, _, _ in places]
    plot.band([(x, low) for x, _, low, _ in places], [(x, high) for x, _, _, high in places], css, line.name)
    plot.line(points, css, line.name)
    return points


def learning(report: Report) -> Figure | None:
    """Return selection over the number of training problems, a panel per objective if there are several."""
    curve = report.learning_curve
    if curve is None:
        return None
    caption = (
        "Probes trained on more and more problems, tested on others; bands are 95 % intervals, and the dotted line is "
        "pass@1."
    )
    if not curve.others:
        panels = drawn(partial(_learning_panel, report, curve))
        return Figure("learning", "Learning curve", f"{curve.line.name}: {caption}", panels)
    small = tuple(_small_learning_panel(report, curve, line) for line in curve.lines)
    return Figure("learning", "Learning curves", caption, small, wide=True, small=True)


def _learning_range(report: Report, curve: LearningCurve) -> tuple[float, float]:
    """The range of all lines with their intervals and of pass@1."""
    every = [value for line in curve.lines for value in (*line.low, *line.high)]
    values = [value for value in (*every, base_row(report).value) if math.isfinite(value)]
    return padded(min(values), max(values))


def _learning_panel(report: Report, curve: LearningCurve, size: Size) -> str:
    line, base = curve.line, base_row(report).value
    plot = Plot(
        (0, max(curve.problems)),
        _learning_range(report, curve),
        titles=("training problems", "pass@1 of the selected sample"),
        size=size.both,
        right=margin([line.name, "pass@1"], size.longest),
        css=size.css,
    )
    plot.rule(BASE, y=base, name="pass@1")
    css = colours(report).get(line.name, PLAIN)
    points = _line_with_band(plot, curve.problems, line, f"{css} always")
    plot.ends([(points[-1], line.name, css), ((plot.x.high, base), "pass@1", BASE)], size.longest)
    return str(plot)


def _small_learning_panel(report: Report, curve: LearningCurve, line: CurveSeries) -> str:
    """One objective's line, on the axes that all panels share."""
    base = base_row(report).value
    plot = Plot(
        (0, max(curve.problems)),
        _learning_range(report, curve),
        titles=("training problems", "pass@1"),
        size=SMALL,
        top=38,
        heading=(line.name, f"{short(line.value[-1])} {interval(line.low[-1], line.high[-1])}"),
    )
    plot.rule(BASE, y=base, name="pass@1")
    _line_with_band(plot, curve.problems, line, f"{colours(report).get(line.name, PLAIN)} always")
    return str(plot)


def frontier(report: Report) -> Figure | None:
    """Return reward against the distance from the base policy, over the temperature of selection."""
    names = [item.name for item in report.frontiers if len(_finite(item.limit)) > 1]
    if not names:
        return None
    keys = keys_of(report, names)
    caption = (
        "Each line runs through the temperatures of softmax selection, in the limit of many draws among the stored "
        "samples: from the base policy, which is the model's own sampling, on the left to a sharp selection on the "
        "right. It ends where fewer than 5 stored samples of a problem have an effective share. No policy at a given "
        "distance earns more than the oracle."
    )
    return Figure(
        "frontier",
        "Reward and distance from the base policy",
        caption,
        drawn(partial(_frontier_panel, report, keys)),
        keys,
    )


def _frontier_panel(report: Report, keys: Sequence[Key], size: Size) -> str:
    lines = {item.name: line for item in report.frontiers if len(line := _finite(item.limit)) > 1}
    points, base = [point for line in lines.values() for point in line], base_row(report).value
    plot = Plot(
        (0, max((kl for kl, _ in points), default=0.0) * 1.04 or 1.0),
        padded(min(reward for _, reward in points), max(reward for _, reward in points)),
        titles=("KL divergence from the base policy, nats", "expected reward"),
        size=size.both,
        right=margin([*lines, "pass@1"], size.longest),
        css=size.css,
    )
    plot.rule(BASE, y=base, name="pass@1")
    for key in keys:
        plot.line(lines[key.name], key.css, key.name)
    ends = [(lines[key.name][-1], key.name, key.css) for key in keys]
    plot.ends([*ends, ((plot.x.high, base), "pass@1", BASE)], size.longest)
    return str(plot)


def _finite(tradeoffs: Sequence[Tradeoff]) -> list[tuple[float, float]]:
    return sorted((item.kl, item.reward) for item in tradeoffs if math.isfinite(item.kl + item.reward))
