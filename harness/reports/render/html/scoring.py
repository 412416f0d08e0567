"""Figures of the scores: calibration, passes by score, relation to difficulty, and the layers they come from."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from statistics import fmean, pstdev

from harness.reports.browser_data import BrowserData
from harness.reports.render.html.figure import (
    BARS,
    BASE,
    BROAD,
    NARROW,
    SMALL,
    Figure,
    Size,
    colours,
    drawn,
    keys_of,
)
from harness.reports.render.html.plot import CHARACTER, Plot, margin
from harness.reports.render.html.scale import padded
from harness.reports.render.html.scale import short as short_tick
from harness.reports.render.notes import calibration_words
from harness.reports.render.numbers import interval, short
from harness.reports.report import Report
from harness.stats import Calibration, Difficulty

MOST_LABELS = 16
"""With more layers than these, only some ticks have labels, and cells hold no number."""


def calibration(report: Report) -> Figure | None:
    """Return the share that passes against the score, for scores that estimate the probability of a pass."""
    calibrations = [item for item in report.calibrations if item.error is not None and item.bins]
    if not calibrations:
        return None
    found = "; ".join(calibration_words(item) for item in calibrations)
    caption = f"Ten bins of equally many held-out samples; calibrated scores lie on the dotted line. {found}."
    panels = drawn(partial(_calibration_panel, report, calibrations))
    keys = keys_of(report, [item.name for item in calibrations])
    return Figure("calibration", "Calibration: score and pass rate", caption, panels, keys)


def _calibration_panel(report: Report, calibrations: Sequence[Calibration], size: Size) -> str:
    scores = [part.score for item in calibrations for part in item.bins]
    plot = Plot(
        (min(0.0, *scores), max(1.0, *scores)),
        (0, 1),
        titles=("mean score of the samples", "pass rate"),
        size=size.both,
        right=margin(["calibrated", *(item.name for item in calibrations)], size.longest),
        css=size.css,
    )
    plot.line([(0, 0), (1, 1)], BASE)
    css = colours(report)
    for item in calibrations:
        for part in item.bins:
            plot.whisker((part.score, part.low), (part.score, part.high), f"toned {css[item.name]}", item.name)
        plot.line([(part.score, part.passed) for part in item.bins], css[item.name], item.name, dots=True)
    ends = [((item.bins[-1].score, item.bins[-1].passed), item.name, css[item.name]) for item in calibrations]
    plot.ends([*ends, ((1.0, 1.0), "calibrated", BASE)], size.longest)
    return str(plot)


def tenths(report: Report) -> Figure | None:
    """Return the share that passes in each tenth of the scores, for every objective."""
    calibrations = [item for item in report.calibrations if len(item.bins) > 1]
    if not calibrations:
        return None
    caption = "Samples of all problems, sorted by held-out score: the order is between problems as well as within them."
    panels = drawn(partial(_tenths_panel, report, calibrations))
    return Figure(
        "tenths", "Pass rate by score", caption, panels, keys_of(report, [item.name for item in calibrations])
    )


def _tenths_panel(report: Report, calibrations: Sequence[Calibration], size: Size) -> str:
    most = max(len(item.bins) for item in calibrations)
    lines = {item.name: _by_rank(item) for item in calibrations}
    highest = max(passed for line in lines.values() for _, passed in line)
    everything, css = calibrations[0].passed, colours(report)
    plot = Plot(
        (1, most),
        (0, min(1.0, highest * 1.08) or 1.0),
        titles=("tenth of the scores, lowest to highest", "pass rate"),
        size=size.both,
        right=margin([*lines, "all samples"], size.longest),
        x_ticks=[(i, str(i)) for i in range(1, most + 1)],
        css=size.css,
    )
    plot.rule(BASE, y=everything, name="all samples")
    for name, line in lines.items():
        plot.line(line, css[name], name)
    ends = [(line[-1], name, css[name]) for name, line in lines.items()]
    plot.ends([*ends, ((float(most), everything), "all samples", BASE)], size.longest)
    return str(plot)


def _by_rank(calibration: Calibration) -> list[tuple[float, float]]:
    return [(float(i), part.passed) for i, part in enumerate(calibration.bins, start=1)]


def difficulty(report: Report, data: BrowserData) -> Figure | None:
    """Return each problem's mean score against its pass rate: the part of a score that is about problems."""
    if not report.difficulties:
        return None
    dots = {item.name: _levels(item.name, data) for item in report.difficulties}
    levels = [level for named in dots.values() for _, level, _ in named] or [0.0]
    span = padded(min(levels), max(levels))
    panels = tuple(_difficulty_panel(report, item, dots[item.name], span) for item in report.difficulties)
    caption = (
        "Each dot is a problem: its pass rate, and the mean held-out score of its samples in standard deviations of "
        "all scores from their mean. Above each panel: the share of the scores' variance that is between problems, and "
        "Spearman's correlation ρ with its interval. Selection within a problem uses only the remaining variance."
    )
    return Figure("difficulty", "Score and difficulty of the problem", caption, panels, wide=True, small=True)


def _levels(name: str, data: BrowserData) -> list[tuple[float, float, str]]:
    """Return the pass rate of each problem, its mean score in standard deviations from the mean, and its tooltip."""
    rated = [(problem, _scores(problem, name)) for problem in data["problems"] if problem["rate"] is not None]
    everything = [score for _, scores in rated for score in scores]
    if not everything:
        return []
    mean, deviation = fmean(everything), pstdev(everything) or 1.0
    dots = [(problem, fmean(scores)) for problem, scores in rated if scores]
    return [
        (
            problem["rate"],
            (level - mean) / deviation,
            f"{problem['id']}: {problem['rate']:.0%} pass, mean score {level:.3g}",
        )
        for problem, level in dots
    ]


def _scores(problem: BrowserData, name: str) -> list[float]:
    return [score for score in problem.get("scores", {}).get(name, []) if score is not None]


def _difficulty_panel(
    report: Report, item: Difficulty, dots: Sequence[tuple[float, float, str]], span: tuple[float, float]
) -> str:
    plot = Plot(
        (-0.03, 1.03),
        span,
        titles=("pass rate of the problem", "mean score, SD"),
        size=SMALL,
        top=38,
        x_ticks=[(tick, short_tick(tick)) for tick in (0, 0.25, 0.5, 0.75, 1)],
        heading=(
            f"{item.name}: {item.between:.0%} between",
            f"ρ {short(item.correlation)} {interval(item.low, item.high)}",
        ),
    )
    plot.cloud(dots, colours(report)[item.name])
    return str(plot)


def layers(report: Report) -> Figure | None:
    """Return the folds in which each layer was selected, one panel per pooling, if there were several layers."""
    if len(report.views) < 2:
        return None
    poolings = list(dict.fromkeys(pooling for _, pooling in report.views))
    wide = len(report.views) > MOST_LABELS
    widths = {BROAD.css: BARS if wide else BROAD.width, NARROW.css: NARROW.width}
    panels = tuple(_layer_panel(report, pooling, width, css) for pooling in poolings for css, width in widths.items())
    caption = "The number of folds in which each layer was selected inside the training problems; darker is more often."
    return Figure("layers", "Selected layers", caption, panels, wide=wide)


def _layer_panel(report: Report, pooling: str, width: int, css: str) -> str:
    """Return objectives by layers: the share of folds that selected each."""
    depths = sorted(layer for layer, own_pooling in report.views if own_pooling == pooling)
    names = list(report.hyperparameters)
    plot = Plot(
        (0, len(depths)),
        (0, len(names)),
        titles=(f"layer, {pooling}", ""),
        size=(width, 60 + 26 * len(names)),
        css=css,
        left=math.ceil(14 + CHARACTER * max(map(len, names))),
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
                plot.label(i + 0.5, y + 0.5, str(count), "on-cell", "middle")
    return str(plot)
