"""The figures of a report; a figure without data is left out."""

from harness.reports.browser_data import BrowserData
from harness.reports.render.html.figure import Figure
from harness.reports.render.html.plot import Plot
from harness.reports.render.html.scoring import calibration, difficulty, layers, tenths
from harness.reports.render.html.selecting import best_of_k, frontier, learning, selection
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
    return Figure("statuses", "Verdicts by status", "The outcome of every program in the sandbox.", (str(plot),))
