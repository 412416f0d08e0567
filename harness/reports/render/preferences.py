"""A preference report as tables, notes and text; `harness.reports.render.html.preferences` makes the page."""

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.preferences import CHANCE, ESTIMATES, PreferenceReport
from harness.reports.render.headline import p_equals
from harness.reports.render.numbers import counted, interval, model_text, share, short
from harness.reports.render.significance import is_significant, p_value
from harness.reports.render.text import Cells, TableCells, bullets, csv_text, latex, latex_table, markdown_table
from harness.reports.render.text import terminal_table as drawn
from harness.stats import TableRow

INTERVALS = (
    "Intervals: 95 %, bootstrap over prompts; p-values against one half are Holm-corrected for probes; * marks p below "
    ".05. Those of probes allow for the folds."
)
BY_LENGTH = (
    "By length: balanced is the mean of the accuracies where the chosen reply is longer and where it is shorter, in "
    "which length alone has .500; similar lengths differ by at most a tenth; without length is the accuracy of scores "
    "less what length predicts of them."
)
CONTROLS = "Controls: probes trained on pairs whose replies were swapped at random, and untrained directions."


def heading(report: PreferenceReport) -> str:
    """Return the run, its pair set and the model in one line."""
    prompts = "" if report.prompts == report.pairs else f" of {counted(report.prompts, 'prompt')}"
    pairs = counted(report.pairs, "pair")
    return f"{report.run}: {pairs}{prompts} of {report.pair_set}, read by {model_text(report.embedder)}"


def sentence(report: PreferenceReport) -> str:
    """Return the main result: the first objective beside the best baseline without a probe."""
    first = report[next(iter(report.hyperparameters))]
    text = f"Probe {first.name}: accuracy {short(first.value)} {interval(first.low, first.high)}"
    beside = [one for one in report.differences if one.name == first.name]
    if not beside:
        return f"{text}."
    best = max(beside, key=lambda one: report[one.other].value)
    return (
        f"{text}; the best of the other scores, {best.other}, {short(report[best.other].value)}: "
        f"{short(best.value, '+')} {interval(best.low, best.high, '+')}, p {p_equals(best.p_holm)}."
    )


def tables(report: PreferenceReport) -> list[TableCells]:
    """Return every table that has rows, as header and rows; the first is the main one."""
    makers = (accuracy_cells, difference_cells, length_cells, calibration_cells, learning_cells, choice_cells)
    return [(header, rows) for header, rows in (cells(report) for cells in makers) if rows]


def accuracy_cells(report: PreferenceReport) -> TableCells:
    """Return the accuracy of every row."""
    header = ("scored by", "accuracy", "95 % interval", "above chance", "95 % interval", "p")
    return header, [_row(row) for row in report.rows]


def _row(row: TableRow) -> Cells:
    if row.name == CHANCE:
        return (row.name, short(row.value), "", "", "", "")
    value = (row.name, short(row.value), interval(row.low, row.high))
    gain = short(row.gain, "+") + ("*" if is_significant(row) else "")
    return (*value, gain, interval(row.gain_low, row.gain_high, "+"), p_value(row))


def difference_cells(report: PreferenceReport) -> TableCells:
    """Return each objective less each baseline; * is p below .05."""
    baselines = list(dict.fromkeys(one.other for one in report.differences))
    by_names = {(one.name, one.other): one for one in report.differences}
    rows: list[Cells] = []
    for name in report.hyperparameters:
        cells = []
        for baseline in baselines:
            one = by_names[name, baseline]
            cells.append(
                f"{short(one.value, '+')}{'*' if one.p_holm < 0.05 else ''} {interval(one.low, one.high, '+')}"
            )
        rows.append((name, *cells))
    return ("probe less", *baselines), rows if baselines else []


def length_cells(report: PreferenceReport) -> TableCells:
    """Return the accuracy by the lengths of the replies."""
    rows: list[Cells] = []
    for one in report.lengths:
        without = report[one.name].gain_without_length + 0.5
        rows.append(
            (
                one.name,
                short(one.longer),
                short(one.shorter),
                short(one.balanced),
                interval(one.low, one.high),
                short(one.similar),
                interval(one.similar_low, one.similar_high),
                short(without),
            )
        )
    titles = ("chosen longer", "chosen shorter", "balanced", "95 % interval")
    return ("by length", *titles, "similar lengths", "95 % interval", "without length"), rows


def calibration_cells(report: PreferenceReport) -> TableCells:
    """Return how far sigmoid(Q - Q') is the probability of a preference."""
    rows: list[Cells] = [
        (one.name, short(one.error), short(one.brier))
        for one in report.calibrations
        if one.error is not None and one.brier is not None
    ]
    return ("calibration", "error", "Brier score"), rows


def learning_cells(report: PreferenceReport) -> TableCells:
    """Return the accuracy of each objective by the number of training pairs, intervals below values."""
    curve = report.learning_curve
    if curve is None:
        return (), []
    rows: list[Cells] = []
    for one in curve.every:
        rows.append((one.objective, *map(short, one.value)))
        rows.append(("95 % interval", *map(interval, one.low, one.high)))
    return ("training pairs", *map(str, curve.pairs)), rows


def choice_cells(report: PreferenceReport) -> TableCells:
    """Return the hyperparameters selected in the folds, with their number where they differ."""
    rows: list[Cells] = [
        (name, *(_counted([str(choice[key]) for choice in folds]) for key in ("form", "l2", "learning_rate", "epochs")),
         _counted([", ".join(choice["views"]) for choice in folds]))
        for name, folds in report.hyperparameters.items()
    ]  # fmt: skip
    return ("hyperparameters", "form", "l2", "learning rate", "epochs", "layer"), rows


def _counted(values: list[str]) -> str:
    counts = Counter(values)
    return ", ".join(value if len(counts) == 1 else f"{value} x {count}" for value, count in counts.most_common())


def notes(report: PreferenceReport) -> list[str]:
    """Return the facts that a reader needs to judge the tables, a warning first."""
    settings = report.settings
    groups = settings.get("groups")
    alike = f", near-duplicate prompts in one fold ({groups:,} groups)" if groups else ""
    if shortfall := settings.get("groups_shortfall"):
        alike = f", near-duplicate prompts in different folds ({shortfall})"
    folds = (
        f"Probes: vectors of {model_text(report.embedder)}; {settings['folds']}-fold cross-validation by prompt, the "
        f"mean over {counted(settings['repeats'], 'draw')} of the folds{alike}; hyperparameters selected inside the "
        f"training folds ({settings['preset']})."
    )
    longer = f"Length: the longer reply is the chosen one in {share(report.longer_chosen)} of the pairs."
    similar = f" {counted(report.similar_pairs, 'pair')} have similar lengths." if report.similar_pairs else ""
    calibrated = [
        f"Calibration: sigmoid(Q - Q') of {one.name} is off by {short(one.error)} on average."
        for one in report.calibrations
        if one.name == ESTIMATES and one.error is not None
    ]
    warnings = [f"Warning: {report.warning}"] if report.warning else []
    return [*warnings, folds, INTERVALS, CONTROLS, longer + similar, BY_LENGTH, *calibrated]


def terminal(report: PreferenceReport, *, full: bool = False) -> RenderableType:
    """Render the main tables for a terminal; with `full` all."""
    shown = tables(report) if full else [accuracy_cells(report), length_cells(report)]
    parts = [drawn(header, rows, lambda row: row[0] in report.hyperparameters) for header, rows in shown]
    return Group(Text(heading(report), style="bold"), Text(sentence(report)), *parts, bullets(notes(report)))


def markdown(report: PreferenceReport) -> str:
    """Render as Markdown."""
    parts = [markdown_table(header, rows) for header, rows in tables(report)]
    lines = "\n".join(f"- {line}" for line in notes(report))
    return "\n\n".join([f"## {heading(report)}", sentence(report), *parts, lines]) + "\n"


def latex_text(report: PreferenceReport) -> str:
    """Render as LaTeX, one tabular per table; they need the package booktabs."""
    parts = [latex_table(header, rows) for header, rows in tables(report)]
    lines = "\n".join(latex(line) + r" \par" for line in notes(report))
    return "\n\n".join([f"% {heading(report)}", latex(sentence(report)), *parts, lines]) + "\n"


def csv_rows(report: PreferenceReport) -> str:
    """Render the main table as CSV, numbers in full."""
    blank = {"headroom", "headroom_low", "headroom_high", "auc"}
    rows = [{name: value for name, value in asdict(row).items() if name not in blank} for row in report.rows]
    return csv_text([{"run": report.run, **row} for row in rows])


def json_text(report: PreferenceReport) -> str:
    """Render as JSON."""
    return json.dumps(report.as_json(), indent=1, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[PreferenceReport], str]] = {
    "json": json_text,
    "markdown": markdown,
    "latex": latex_text,
    "csv": csv_rows,
}
"""Name of a format -> its renderer."""


def is_finite(row: TableRow) -> bool:
    """Return whether a row has an accuracy to draw."""
    return math.isfinite(row.value)
