"""Figures of the scores: calibration, passes by score, relation to difficulty, and the layers they come from."""

import math
from collections import Counter

from harness.reports.browser_data import BrowserData
from harness.reports.render.html.figure import BASE, Figure, colours, keys_of
from harness.reports.render.html.plot import Plot
from harness.reports.render.html.scale import padded
from harness.reports.render.notes import calibration_words
from harness.reports.render.numbers import interval, short
from harness.reports.report import Report
from harness.stats import Calibration, Difficulty

PANEL = (300, 230)
MOST_LABELS = 16
"""With more layers than these, only some ticks have labels, and cells hold no number."""


def calibration(report: Report) -> Figure | None:
    """Return the share that passes against the score, for scores that estimate the probability of a pass."""
    calibrations = [item for item in report.calibrations if item.error is not None and item.bins]
    if not calibrations:
        return None
    scores = [part.score for item in calibrations for part in item.bins]
    plot = Plot(
        (min(0.0, *scores), max(1.0, *scores)), (0, 1), titles=("mean score of the samples", "share that passes")
    )
    plot.line([(0, 0), (1, 1)], BASE)
    css = colours(report)
    for item in calibrations:
        for part in item.bins:
            plot.whisker((part.score, part.low), (part.score, part.high), f"toned {css[item.name]}", item.name)
        plot.line([(part.score, part.passed) for part in item.bins], css[item.name], item.name, dots=True)
    found = "; ".join(calibration_words(item) for item in calibrations)
    caption = f"Ten bins of equally many held-out samples; calibrated scores lie on the dotted line. {found}."
    return Figure(
        "calibration", "Calibration", caption, (str(plot),), keys_of(report, [item.name for item in calibrations])
    )


def tenths(report: Report) -> Figure | None:
    """Return the share that passes in each tenth of the scores, for every objective."""
    calibrations = [item for item in report.calibrations if len(item.bins) > 1]
    if not calibrations:
        return None
    most = max(len(item.bins) for item in calibrations)
    lines = {item.name: _by_rank(item) for item in calibrations}
    highest = max(passed for line in lines.values() for _, passed in line)
    plot = Plot(
        (1, most),
        (0, min(1.0, highest * 1.08) or 1.0),
        titles=("tenth of the scores, lowest to highest", "share that passes"),
        x_ticks=[(i, str(i)) for i in range(1, most + 1)],
    )
    plot.rule(
        BASE, y=sum(part.passed * part.samples for part in calibrations[0].bins) / report.samples, name="all samples"
    )
    css = colours(report)
    for name, line in lines.items():
        plot.line(line, css[name], name, dots=True)
    caption = "Samples of all problems, sorted by held-out score: the order is between problems as well as within them."
    return Figure("tenths", "Passes by score", caption, (str(plot),), keys_of(report, list(lines)))


def _by_rank(calibration: Calibration) -> list[tuple[float, float]]:
    return [(float(i), part.passed) for i, part in enumerate(calibration.bins, start=1)]


def difficulty(report: Report, data: BrowserData) -> Figure | None:
    """Return each problem's mean score against its pass rate: the part of a score that is about problems."""
    panels = tuple(_difficulty_panel(report, item, data) for item in report.difficulties)
    if not panels:
        return None
    caption = (
        "Each dot is a problem: its pass rate on the x axis, the mean held-out score of its samples on the y axis. "
        "Below: the share of the scores' variance between problems, and Spearman's correlation with its interval. "
        "Selection within a problem uses only the remaining variance."
    )
    return Figure("difficulty", "Score against difficulty", caption, panels, wide=True)


def _difficulty_panel(report: Report, item: Difficulty, data: BrowserData) -> str:
    dots = []
    for problem in data["problems"]:
        scores = [score for score in problem.get("scores", {}).get(item.name, []) if score is not None]
        if scores and problem["rate"] is not None:
            rate, level = problem["rate"], sum(scores) / len(scores)
            dots.append((rate, level, f"{problem['id']}: {rate:.0%} pass, mean score {level:.3g}"))
    levels = [level for _, level, _ in dots] or [0.0]
    title = f"{item.name}: {item.between:.0%} between, ρ {short(item.correlation)} {interval(item.low, item.high)}"
    plot = Plot((-0.03, 1.03), padded(min(levels), max(levels)), titles=(title, ""), size=PANEL)
    plot.cloud(dots, colours(report)[item.name])
    return str(plot)


def layers(report: Report) -> Figure | None:
    """Return the folds in which each layer was selected, one panel per pooling, if there were several layers."""
    if len(report.views) < 2:
        return None
    poolings = list(dict.fromkeys(pooling for _, pooling in report.views))
    panels = tuple(_layer_panel(report, pooling) for pooling in poolings)
    caption = "The number of folds in which each layer was selected inside the training problems; darker is more often."
    return Figure("layers", "Layers", caption, panels, wide=len(report.views) > MOST_LABELS)


def _layer_panel(report: Report, pooling: str) -> str:
    """Return objectives by layers: the share of folds that selected each."""
    depths = sorted(layer for layer, own_pooling in report.views if own_pooling == pooling)
    names = list(report.hyperparameters)
    plot = Plot(
        (0, len(depths)),
        (0, len(names)),
        titles=(f"layer, {pooling}", ""),
        size=(480, 60 + 26 * len(names)),
        left=90,
        x_ticks=[(i + 0.5, str(depths[i])) for i in range(0, len(depths), math.ceil(len(depths) / MOST_LABELS))],
        y_ticks=[(len(names) - i - 0.5, name) for i, name in enumerate(names)],
    )
    for row, (name, choices) in enumerate(report.hyperparameters.items()):
        folds = Counter(view for choice in choices for view in choice["views"])
        y = len(names) - row - 1
        for i, depth in enumerate(depths):
            count = folds[f"{depth}/{pooling}"]
            tooltip = f"{name}: layer {depth}, {pooling}, in {count} of {len(choices)} folds"
            plot.cell((i, y), (i + 1, y + 1), count / len(choices), tooltip)
            if count and len(depths) <= MOST_LABELS:
                plot.label(i + 0.5, y + 0.5, str(count), "on-full" if 2 * count > len(choices) else "on-cell", "middle")
    return str(plot)
