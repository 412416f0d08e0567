"""The figures of a report. Each is left out where the report has nothing for it."""

from harness.reports.render.html.browser import Data
from harness.reports.render.html.figure import Figure
from harness.reports.render.html.plot import Plot
from harness.reports.render.html.scoring import calibration, difficulty, layers, tenths
from harness.reports.render.html.selecting import best_of_k, frontier, learning, selection
from harness.reports.report import Report


def figures(report: Report, data: Data) -> list[Figure]:
    """Every figure for which the report has numbers, in the order of the page."""
    drawn = (
        selection(report),
        best_of_k(report),
        frontier(report),
        calibration(report),
        tenths(report),
        difficulty(report, data),
        learning(report),
        layers(report),
        statuses(report),
    )
    return [figure for figure in drawn if figure is not None]


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
    return Figure("statuses", "Verdicts by status", "How every program ended in the sandbox.", (str(plot),))
