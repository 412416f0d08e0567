"""Figures of the scores themselves: whether they mean what they say, what they know, and where they come from."""

import math
from collections import Counter

from harness.reports.render.html.browser import Data
from harness.reports.render.html.figure import BASE, Figure, colours, keys_of
from harness.reports.render.html.plot import Plot
from harness.reports.render.html.scale import padded
from harness.reports.render.numbers import interval, short
from harness.reports.report import Report
from harness.stats import Calibration, Difficulty

PANEL = (300, 230)
MOST_LABELS = 16
"""More layers than these are marked here and there, and their cells hold no number."""


def calibration(report: Report) -> Figure | None:
    """The share that passes against the score, for scores that are meant as chances of a pass."""
    meant = [each for each in report.calibrations if each.error is not None and each.bins]
    if not meant:
        return None
    scores = [found.score for each in meant for found in each.bins]
    plot = Plot(
        (min(0.0, *scores), max(1.0, *scores)), (0, 1), titles=("mean score of the samples", "share that passes")
    )
    plot.line([(0, 0), (1, 1)], BASE)
    css = colours(report)
    for each in meant:
        for found in each.bins:
            plot.whisker((found.score, found.low), (found.score, found.high), f"toned {css[each.name]}", each.name)
        plot.line([(found.score, found.passed) for found in each.bins], css[each.name], each.name, dots=True)
    errors = ", ".join(f"{each.name} {short(each.error or 0.0)}" for each in meant)
    caption = (
        "Ten bins of equally many held-out samples; a score that means what it says lies on the dotted line. "
        f"Expected calibration error: {errors}."
    )
    return Figure("calibration", "Calibration", caption, (str(plot),), keys_of(report, [each.name for each in meant]))


def tenths(report: Report) -> Figure | None:
    """The share that passes in each tenth of the scores, for every objective."""
    found = [each for each in report.calibrations if len(each.bins) > 1]
    if not found:
        return None
    most = max(len(each.bins) for each in found)
    lines = {each.name: _by_rank(each) for each in found}
    highest = max(passed for line in lines.values() for _, passed in line)
    plot = Plot(
        (1, most),
        (0, min(1.0, highest * 1.08) or 1.0),
        titles=("tenth of the scores, lowest to highest", "share that passes"),
        x_ticks=[(i, str(i)) for i in range(1, most + 1)],
    )
    plot.rule(BASE, y=sum(each.passed * each.samples for each in found[0].bins) / report.samples, name="all samples")
    css = colours(report)
    for name, line in lines.items():
        plot.line(line, css[name], name, dots=True)
    caption = "Samples of all problems, in order of their held-out score: between problems as well as within them."
    return Figure("tenths", "Passes by score", caption, (str(plot),), keys_of(report, list(lines)))


def _by_rank(found: Calibration) -> list[tuple[float, float]]:
    return [(float(i), each.passed) for i, each in enumerate(found.bins, start=1)]


def difficulty(report: Report, data: Data) -> Figure | None:
    """Each problem's mean score against its pass rate: what a score knows of problems rather than of samples."""
    panels = tuple(_difficulty_panel(report, each, data) for each in report.difficulties)
    if not panels:
        return None
    caption = (
        "A dot is a problem: to the right its pass rate, upwards the mean held-out score of its samples. Below stands "
        "the share of the scores' variance that lies between problems, and Spearman's correlation, with its interval. "
        "Selection within a problem uses only what is left."
    )
    return Figure("difficulty", "Score against difficulty", caption, panels, wide=True)


def _difficulty_panel(report: Report, found: Difficulty, data: Data) -> str:
    dots = []
    for problem in data["problems"]:
        scores = [score for score in problem.get("scores", {}).get(found.name, []) if score is not None]
        if scores and problem["rate"] is not None:
            rate, level = problem["rate"], sum(scores) / len(scores)
            dots.append((rate, level, f"{problem['id']}: {rate:.0%} pass, mean score {level:.3g}"))
    levels = [level for _, level, _ in dots] or [0.0]
    said = f"{found.between:.0%} between, ρ {short(found.correlation)} {interval(found.low, found.high)}"
    plot = Plot((-0.03, 1.03), padded(min(levels), max(levels)), titles=(f"{found.name}: {said}", ""), size=PANEL)
    plot.cloud(dots, colours(report)[found.name])
    return str(plot)


def layers(report: Report) -> Figure | None:
    """How often each layer was chosen for each objective, a panel a pooling, where there were several."""
    if len(report.views) < 2:
        return None
    poolings = list(dict.fromkeys(pooling for _, pooling in report.views))
    panels = tuple(_layer_panel(report, pooling) for pooling in poolings)
    caption = "In how many folds each objective chose a layer, inside their training problems: the fuller, the more."
    return Figure("layers", "Layers", caption, panels, wide=len(report.views) > MOST_LABELS)


def _layer_panel(report: Report, pooling: str) -> str:
    """Objectives by layers: the share of folds that chose it."""
    depths = sorted(layer for layer, each in report.views if each == pooling)
    names = list(report.chosen)
    plot = Plot(
        (0, len(depths)),
        (0, len(names)),
        titles=(f"layer, {pooling}", ""),
        size=(480, 60 + 26 * len(names)),
        left=90,
        x_ticks=[(i + 0.5, str(depths[i])) for i in range(0, len(depths), math.ceil(len(depths) / MOST_LABELS))],
        y_ticks=[(len(names) - i - 0.5, name) for i, name in enumerate(names)],
    )
    for row, (name, choices) in enumerate(report.chosen.items()):
        taken = Counter(view for each in choices for view in each["views"])
        y = len(names) - row - 1
        for i, depth in enumerate(depths):
            count = taken[f"{depth}/{pooling}"]
            said = f"{name}: layer {depth}, {pooling}, in {count} of {len(choices)} folds"
            plot.cell((i, y), (i + 1, y + 1), count / len(choices), said)
            if count and len(depths) <= MOST_LABELS:
                plot.label(i + 0.5, y + 0.5, str(count), "on-full" if 2 * count > len(choices) else "on-cell", "middle")
    return str(plot)
