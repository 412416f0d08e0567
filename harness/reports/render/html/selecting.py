"""Figures of the reward of selection: bars, curves over k, and curves over the distance from the base policy."""

import math
from collections.abc import Sequence

from harness.reports.render.html.figure import BASE, ORACLE, PLAIN, Figure, base_row, colours, keys_of
from harness.reports.render.html.plot import Plot
from harness.reports.render.html.scale import padded
from harness.reports.render.numbers import interval, short
from harness.reports.report import CurveSeries, Report
from harness.stats import TableRow, Tradeoff


def selection(report: Report) -> Figure:
    """Return the expected reward of every selection rule with its interval, and pass@1 as a line."""
    caption = "Bars are means over problems, whiskers 95 % bootstrap intervals; the dotted line is pass@1."
    panels = (_bars(report, 960, "broad"), _bars(report, 420, "narrow"))
    return Figure("selection", "Probes and baselines", caption, panels, wide=True)


def _bars(report: Report, width: int, css_of_width: str) -> str:
    """Return the bars for windows of one width; the style sheet shows one of the two."""
    rows = [row for row in report.rows if math.isfinite(row.value)]
    css = colours(report)
    places = [(len(rows) - 1 - i, row) for i, row in enumerate(rows)]
    high = max(row.value if math.isnan(row.high) else row.high for row in rows)
    plot = Plot(
        (0, min(1.0, high * 1.08) or 1.0),
        (-0.6, len(rows) - 0.4),
        titles=("pass@1 of the selected sample", ""),
        size=(width, 46 + 25 * len(rows)),
        left=min(170, 36 + 7 * max(len(row.name) for row in rows)),
        y_ticks=[(at, row.name) for at, row in places],
        css=css_of_width,
    )
    plot.rule(BASE, x=base_row(report).value, name="pass@1")
    for at, row in places:
        plot.bar(at, row.value, css.get(row.name, PLAIN), _tooltip(row))
        if math.isfinite(row.low):
            plot.whisker((row.low, at), (row.high, at))
    return str(plot)


def _tooltip(row: TableRow) -> str:
    text = f"{row.name}: {short(row.value)} {interval(row.low, row.high)}"
    return text if math.isnan(row.gain) or row.name == "pass@1" else f"{text}, gain {short(row.gain, '+')}"


def best_of_k(report: Report) -> Figure | None:
    """Return best of k for every objective, between pass@1 and pass@k."""
    ks = report.best_of_k.k
    if len(ks) < 2:
        return None
    lines = report.best_of_k.lines
    keys = keys_of(report, [line.name for line in lines], [*report.hyperparameters, "pass@k", "pass@1"])
    seen = [v for line, key in zip(lines, keys, strict=True) if not key.off for v in line.value if math.isfinite(v)]
    plot = Plot(
        (ks[0], ks[-1]), padded(min(seen), max(seen)), titles=("k, samples to select from", "pass@1"), x_log=True
    )
    for line, key in zip(lines, keys, strict=True):
        _line_with_band(plot, ks, line, key.css)
    caption = (
        "The best-scored of k samples, exactly over all subsets of k. pass@k bounds every rule; pass@1 selects at "
        "random. Hover over a name for its 95 % interval; click it to hide or show its line."
    )
    return Figure("best-of-k", "Best of k", caption, (str(plot),), keys)


def _line_with_band(plot: Plot, xs: Sequence[float], line: CurveSeries, css: str) -> None:
    places = [
        (float(x), value, low, high)
        for x, value, low, high in zip(xs, line.value, line.low, line.high, strict=True)
        if math.isfinite(value + low + high)
    ]
    plot.band([(x, low) for x, _, low, _ in places], [(x, high) for x, _, _, high in places], css, line.name)
    plot.line([(x, value) for x, value, _, _ in places], css, line.name, dots=len(places) < 12)


def learning(report: Report) -> Figure | None:
    """Return selection over the number of training problems."""
    if report.learning_curve is None:
        return None
    line, xs = report.learning_curve.line, report.learning_curve.problems
    css = colours(report).get(line.name, PLAIN)
    values = [v for v in (*line.low, *line.high, base_row(report).value) if math.isfinite(v)]
    titles = ("training problems", "pass@1 of the selected sample")
    plot = Plot((0, max(xs)), padded(min(values), max(values)), titles=titles)
    plot.rule(BASE, y=base_row(report).value, name="pass@1")
    _line_with_band(plot, xs, line, f"{css} always")
    caption = f"Probes of {line.name} trained on more and more problems, tested on others; the band is a 95 % interval."
    return Figure("learning", "Learning curve", caption, (str(plot),))


def frontier(report: Report) -> Figure | None:
    """Return reward against the distance from the base policy, over the temperature of selection."""
    if not report.frontiers:
        return None
    lines = {item.name: _finite(item.limit) for item in report.frontiers}
    points = [point for line in lines.values() for point in line]
    keys = keys_of(report, list(lines))
    plot = Plot(
        (0, max((kl for kl, _ in points), default=0.0) * 1.04 or 1.0),
        padded(min(reward for _, reward in points), max(reward for _, reward in points)),
        titles=("KL from the base policy, nats", "expected reward"),
    )
    plot.rule(BASE, y=base_row(report).value, name="pass@1")
    for key in keys:
        plot.line(lines[key.name], key.css, key.name, dots=key.css != ORACLE)
    caption = (
        "Each line runs through the temperatures of softmax selection in the limit of many samples, from the base "
        "policy on the left to always selecting the best score. No policy at a given distance earns more than the "
        "oracle."
    )
    return Figure("frontier", "Reward against KL", caption, (str(plot),), keys)


def _finite(tradeoffs: Sequence[Tradeoff]) -> list[tuple[float, float]]:
    return sorted((item.kl, item.reward) for item in tradeoffs if math.isfinite(item.kl + item.reward))
