"""Figures of what selection earns: the bars, over k, and over the distance from the base policy."""

import math
from collections.abc import Sequence

from harness.reports.render.html.figure import BASE, PLAIN, Figure, base_row, colours, keys_of
from harness.reports.render.html.plot import Plot
from harness.reports.render.html.scale import padded
from harness.reports.render.numbers import interval, short
from harness.reports.report import Report
from harness.reports.sections import ORACLE, CurveSeries
from harness.stats import TableRow, Tradeoff


def selection(report: Report) -> Figure:
    """Expected reward under every rule of selection, with intervals, and the base rate as a line."""
    caption = "Bars are means over problems, whiskers 95 % bootstrap intervals; the dotted line is pass@1."
    panels = (_bars(report, 960, "broad"), _bars(report, 420, "narrow"))
    return Figure("selection", "Probed against baseline", caption, panels, wide=True)


def _bars(report: Report, width: int, css_of_width: str) -> str:
    """The bars for a window of some width: the style sheet shows one of them."""
    rows = [row for row in report.rows if math.isfinite(row.value)]
    css = colours(report)
    places = [(len(rows) - 1 - i, row) for i, row in enumerate(rows)]
    high = max(row.value if math.isnan(row.high) else row.high for row in rows)
    plot = Plot(
        (0, min(1.0, high * 1.08) or 1.0),
        (-0.6, len(rows) - 0.4),
        titles=("pass@1 of what is selected", ""),
        size=(width, 46 + 25 * len(rows)),
        left=min(170, 36 + 7 * max(len(row.name) for row in rows)),
        y_ticks=[(at, row.name) for at, row in places],
        css=css_of_width,
    )
    plot.rule(BASE, x=base_row(report).value, name="pass@1")
    for at, row in places:
        plot.bar(at, row.value, css.get(row.name, PLAIN), _said(row))
        if math.isfinite(row.low):
            plot.whisker((row.low, at), (row.high, at))
    return str(plot)


def _said(row: TableRow) -> str:
    text = f"{row.name}: {short(row.value)} {interval(row.low, row.high)}"
    return text if math.isnan(row.gain) or row.name == "pass@1" else f"{text}, gain {short(row.gain, '+')}"


def best_of_k(report: Report) -> Figure | None:
    """Best of k for every objective, with pass@k above it and pass@1 below."""
    ks = report.best_of_k.k
    if len(ks) < 2:
        return None
    lines = report.best_of_k.lines
    keys = keys_of(report, [line.name for line in lines], [*report.chosen, "pass@k", "pass@1"])
    seen = [v for line, key in zip(lines, keys, strict=True) if not key.off for v in line.value if math.isfinite(v)]
    plot = Plot(
        (ks[0], ks[-1]), padded(min(seen), max(seen)), titles=("k, samples that stand for choice", "pass@1"), x_log=True
    )
    for line, key in zip(lines, keys, strict=True):
        _line_with_band(plot, ks, line, key.css)
    caption = (
        "The best-scored of k samples, exactly over all subsets of k. pass@k bounds every rule, pass@1 takes one at "
        "random. Point at a name for its 95 % interval; press it to hide or show it."
    )
    return Figure("best-of-k", "Best of k", caption, (str(plot),), keys)


def _line_with_band(plot: Plot, xs: Sequence[float], line: CurveSeries, css: str) -> None:
    known = [
        (float(x), *each)
        for x, *each in zip(xs, line.value, line.low, line.high, strict=True)
        if all(map(math.isfinite, each))
    ]
    plot.band([(x, low) for x, _, low, _ in known], [(x, high) for x, _, _, high in known], css, line.name)
    plot.line([(x, value) for x, value, _, _ in known], css, line.name, dots=len(known) < 12)


def learning(report: Report) -> Figure | None:
    """Selection over the number of problems that the probes learnt from."""
    if report.learning is None:
        return None
    line, xs = report.learning.line, report.learning.problems
    css = colours(report).get(line.name, PLAIN)
    known = [v for v in (*line.low, *line.high, base_row(report).value) if math.isfinite(v)]
    plot = Plot(
        (0, max(xs)), padded(min(known), max(known)), titles=("problems learnt from", "pass@1 of what is selected")
    )
    plot.rule(BASE, y=base_row(report).value, name="pass@1")
    _line_with_band(plot, xs, line, f"{css} always")
    caption = f"Probes of {line.name} trained on ever more problems, judged on others; the band is 95 % over problems."
    return Figure("learning", "Learning curve", caption, (str(plot),))


def frontier(report: Report) -> Figure | None:
    """Reward against the distance from the base policy, over the temperature of selection."""
    if not report.frontiers:
        return None
    shown = {each.name: _known(each.limit) for each in report.frontiers}
    points = [point for each in shown.values() for point in each]
    keys = keys_of(report, list(shown))
    plot = Plot(
        (0, max((kl for kl, _ in points), default=0.0) * 1.04 or 1.0),
        padded(min(reward for _, reward in points), max(reward for _, reward in points)),
        titles=("KL from the base policy, nats", "expected reward"),
    )
    plot.rule(BASE, y=base_row(report).value, name="pass@1")
    for key in keys:
        plot.line(shown[key.name], key.css, key.name, dots=key.name != ORACLE)
    caption = (
        "Each line goes through the temperatures of softmax selection, in the limit of many samples: from the base "
        "policy at the left to always taking the best score. No policy earns more at its distance than the oracle."
    )
    return Figure("frontier", "Reward against KL", caption, (str(plot),), keys)


def _known(tradeoffs: Sequence[Tradeoff]) -> list[tuple[float, float]]:
    return sorted((each.kl, each.reward) for each in tradeoffs if math.isfinite(each.kl + each.reward))
