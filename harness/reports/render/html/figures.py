"""The figures of a report; a figure without data is left out."""

import math
from functools import partial

from harness.reports.browser_data import BrowserData
from harness.reports.render.html.figure import Figure, Size, drawn
from harness.reports.render.html.plot import CHARACTER, Plot
from harness.reports.render.html.scoring import calibration, difficulty, layers, tenths
from harness.reports.render.html.selecting import best_of_k, frontier, learning, selection
from harness.reports.render.numbers import share
from harness.reports.report import Report


def figures(report: Report, data: BrowserData | None) -> list[Figure]:
    """Return the figures that have data, in the order of the page."""
    candidates = (
        selection(report),
        best_of_k(report),
        frontier(report),
        calibration(report),
        tenths(report),
        difficulty(report, data) if data else None,
        learning(report),
        layers(report),
        statuses(report),
    )
    return [figure for figure in candidates if figure is not None]


def statuses(report: Report) -> Figure | None:
    """Return the counts of verdicts by status as bars."""
    if not report.statuses:
        return None
    caption = "The outcome of every program in the sandbox."
    return Figure("statuses", "Verdicts by status", caption, drawn(partial(_statuses_panel, report)))


def _statuses_panel(report: Report, size: Size) -> str:
    rows = list(report.statuses.items())
    total = sum(report.statuses.values())
    labels = [f"{count:,} ({share(count / total)})" for _, count in rows]
    plot = Plot(
        (0, max(report.statuses.values())),
        (-0.6, len(rows) - 0.4),
        titles=("programs", ""),
        size=(size.width, 52 + 28 * len(rows)),
        left=math.ceil(14 + CHARACTER * max(len(name) for name, _ in rows)),
        right=math.ceil(10 + CHARACTER * max(map(len, labels))),
        css=size.css,
        y_ticks=[(len(rows) - 1 - i, name) for i, (name, _) in enumerate(rows)],
    )
    for i, ((name, count), label) in enumerate(zip(rows, labels, strict=True)):
        at = len(rows) - 1 - i
        plot.bar(at, count, "good" if name == "passed" else "bad", f"{name}: {count:,}")
        plot.label(count, at, label, dx=6)
    return str(plot)
