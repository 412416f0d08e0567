"""The page of a preference report: the template of a run's page with the figures of pairs."""

from collections.abc import Sequence
from functools import partial

from harness.reports.preferences import CHANCE, LearningCurve, PreferenceReport
from harness.reports.render.html.bars import bars
from harness.reports.render.html.figure import BASE, COLOURS, PLAIN, Figure, Size, drawn
from harness.reports.render.html.page import fill_page
from harness.reports.render.html.plot import Plot, margin
from harness.reports.render.html.tiles import Tile
from harness.reports.render.numbers import interval, share, short
from harness.reports.render.preferences import heading, is_finite, notes, sentence, tables
from harness.stats import TableRow

TITLES = {
    "scored by": "Accuracy",
    "probe less": "Probes against other scores",
    "by length": "Accuracy by the lengths of the replies",
    "calibration": "Calibration",
    "training pairs": "Learning curve",
    "hyperparameters": "Selected hyperparameters",
}
GUIDE = (
    ("accuracy", "the share of pairs whose chosen reply has the higher score; a tie counts one half"),
    ("out of fold", "every pair is scored by probes that were trained without any pair of its prompt"),
    ("longest", "the longer reply; people often prefer it, so that a probe must be compared with it"),
    ("shuffled pairs", "probes trained on pairs whose replies were swapped at random; they must not exceed one half"),
)


def preference_page(report: PreferenceReport, origin: Sequence[tuple[str, str]] = ()) -> str:
    """Return the report as one HTML file that needs no network."""
    return fill_page(
        report=report,
        lead=heading(report).partition(": ")[2],
        sentence=sentence(report),
        bundled="",
        tiles=tiles(report),
        warnings=(),
        guide=GUIDE,
        origin=origin,
        notes=notes(report),
        figures=figures(report),
        tables=tables(report),
        title=TITLES.__getitem__,
        data="",
    )


def tiles(report: PreferenceReport) -> list[Tile]:
    """Return the main numbers."""
    best = max((report[name] for name in report.hyperparameters), key=lambda row: row.value)
    others = [row for row in report.rows if row.name in {one.other for one in report.differences}]
    prompts = f"of {report.prompts:,} prompts"
    listed = [
        Tile("pairs", f"{report.pairs:,}", prompts),
        Tile("highest probe", short(best.value), f"{best.name} {interval(best.low, best.high)}"),
        Tile("longer reply chosen", share(report.longer_chosen), f"{report.similar_pairs:,} pairs of similar lengths"),
    ]
    if others:
        other = max(others, key=lambda row: row.value)
        listed.append(Tile("highest other score", short(other.value), other.name))
    return listed


def figures(report: PreferenceReport) -> list[Figure]:
    """Return the figures that have data."""
    caption = "Bars are shares of pairs, whiskers 95 % bootstrap intervals over prompts; the dotted line is chance."
    rows = [row for row in report.rows if is_finite(row) and row.name != CHANCE]
    panels = bars(rows, "accuracy", (0.5, CHANCE), _css(report), _tooltip)
    made = [Figure("accuracy", "Accuracy of probes and other scores", caption, panels, wide=True)]
    if any(one.error is not None for one in report.calibrations):
        caption = (
            "Tenths of all replies by sigmoid(Q - Q'), the probability of being the chosen one, and the share that is "
            "chosen; on the diagonal both agree."
        )
        made.append(Figure("calibration", "Calibration", caption, drawn(partial(_calibration, report))))
    if report.learning_curve is not None:
        caption = "Accuracy on pairs of other folds, by number of training pairs; bands are 95 % intervals."
        learnt = drawn(partial(_learning, report, report.learning_curve))
        made.append(Figure("learning", "Learning curves", caption, learnt))
    return made


def _css(report: PreferenceReport) -> dict[str, str]:
    return {name: f"c{place % COLOURS}" for place, name in enumerate(report.hyperparameters)}


def _tooltip(row: TableRow) -> str:
    return f"{row.name}: {short(row.value)} {interval(row.low, row.high)}"


def _calibration(report: PreferenceReport, size: Size) -> str:
    plot = Plot((0, 1), (0, 1), titles=("probability by the probe", "share chosen"), size=size.both, css=size.css)
    plot.line([(0, 0), (1, 1)], BASE)
    for one in report.calibrations:
        if one.error is not None:
            css = _css(report)[one.name]
            plot.line([(part.score, part.passed) for part in one.bins], css, one.name, dots=True)
            for part in one.bins:
                plot.whisker((part.score, part.low), (part.score, part.high), css, one.name)
    return str(plot)


def _learning(report: PreferenceReport, curve: LearningCurve, size: Size) -> str:
    low = min(0.5, *(min(one.low) for one in curve.every))
    high = max(max(one.high) for one in curve.every)
    x_range = (curve.pairs[0], max(curve.pairs[-1], curve.pairs[0] + 1))
    right = margin([one.objective for one in curve.every], size.longest)
    titles = ("training pairs", "accuracy")
    plot = Plot(x_range, (low, high), titles=titles, size=size.both, css=size.css, x_log=True, right=right)
    ends = []
    for one in curve.every:
        css = _css(report).get(one.objective, PLAIN)
        points = _points(one.pairs, one.value)
        band = f"{css} always" if len(curve.every) == 1 else css
        plot.band(_points(one.pairs, one.low), _points(one.pairs, one.high), band, one.objective)
        plot.line(points, css, one.objective, dots=True)
        ends.append((points[-1], one.objective, css))
    plot.ends(ends, size.longest)
    return str(plot)


def _points(pairs: Sequence[int], values: Sequence[float]) -> list[tuple[float, float]]:
    return [(float(count), value) for count, value in zip(pairs, values, strict=True)]
