"""A report as tables, each a header and rows of text. `formats` shows them."""

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.reports.render.numbers import interval, model_text, p_text, share, short
from harness.reports.render.text import Cells, TableCells
from harness.reports.report import Report
from harness.stats import TableRow
from sandbox import Status

if TYPE_CHECKING:
    from harness.stages.transfer import Tested

ROW_HEADER: Cells = ("selection", "pass@1", "95 % interval", "gain", "95 % interval", "p")

OF_K = "Of k: exact expectations over all subsets of k samples; * is p below .05."

_PRESETS = {
    "nested": "its temperature and the training chosen inside the training folds",
    "wide": "its temperature, its form and the training chosen inside the training folds",
    "paper": "trained and selected as in the Q-Probe paper (beta 0.1)",
}


def heading(report: Report) -> str:
    """What was run, in one line."""
    fewest, most = report.samples_per_problem
    each = f"{most}" if fewest == most else f"{fewest} to {most}"
    return (
        f"{report.run}: {report.benchmark}, {report.problems} problems x {each} samples of {model_text(report.source)}"
    )


def notes(report: Report) -> list[str]:
    """What a reader must know to judge the table."""
    settings = report.settings
    lines = [
        f"Probes: vectors of {model_text(report.embedder)}; {settings['folds']}-fold cross-validation by problem, "
        f"seed {settings['seed']}; softmax selection among all samples, {_PRESETS[settings['preset']]}.",
        "Intervals: 95 %, bootstrap over problems; gains and p-values paired by problem, p corrected by Holm.",
        f"{report.distinct:.0%} of a problem's programs are distinct; {report.no_signal} of {report.problems} problems "
        "carry no ranking signal (all samples pass, or all fail).",
    ]
    lines += _said_of_prompt(report)
    if report.base_pass_at_1 is not None:
        lines.append(
            f"Every figure is by all tests; by the base tests alone, pass@1 is {short(report.base_pass_at_1)}."
        )
    if report.stability is not None:
        changed, programs = len(report.stability.changed), report.stability.programs
        lines.append(f"{programs} programs were graded twice: {changed} of the rewards changed.")
    if report.shown_tests:
        lines.append(f"Shown test: {report.shown_tests} problems show one; passing it tells part of the verdict.")
    if report.errata:
        lines.append(
            f"Problems known to be wrong: errata {report.errata}, see benchmarks/errata; --no-errata is without."
        )
    if report.repeats is not None:
        lines.append(
            "Foldings: each problem's mean over cross-validations with other folds; spread is the standard deviation "
            "of the gain over them."
        )
    lines += _said_of_k(report) + _said_of_scores(report) + _said_of_differences(report)
    if trusting := {mode: count for mode, count in report.modes.items() if mode != "separate"}:
        listed = ", ".join(f"{count} {mode}" for mode, count in trusting.items())
        lines.append(f"Problems whose tests must trust the program's own objects or process: {listed}.")
    return lines


def _said_of_prompt(report: Report) -> list[str]:
    """Which prompt it was, and how many programs are none: where most are, the extraction is wrong, not the model."""
    lines = [f"Prompt: {report.prompt}."] if report.prompt else []
    broken, graded = report.statuses.get(Status.SYNTAX, 0), sum(report.statuses.values())
    if 2 * broken > graded:
        lines.append(
            f"WARNING: {broken:,} of {graded:,} programs do not even compile: look at some of them; another --prompt, "
            "or qprobe extract with another, may be what is missing."
        )
    elif broken:
        lines.append(f"{broken:,} of {graded:,} programs do not compile.")
    return lines


def _said_of_k(report: Report) -> list[str]:
    short_of = [k for k in report.ks if k > report.samples_per_problem[0]]
    lines = [OF_K] if report.at_k else []
    for k in short_of:
        few = sum(graded < k for graded in report.per_problem.graded)
        lines.append(f"Warning: {few} problems have fewer than {k} graded samples and give no number at k = {k}.")
    return lines


def _said_of_scores(report: Report) -> list[str]:
    return [
        "Scores: share of the way to pass@k; AUC within problems; gain of what length does not tell; share of the "
        "variance between problems and its rank correlation with their pass rate; calibration error of mse and ce."
    ]


def _said_of_differences(report: Report) -> list[str]:
    """Which paired differences are more than chance, after correction."""
    lines = []
    for family, what in (("objectives", "between objectives"), ("baselines", "of objectives from baselines")):
        found = report.differences[family]
        sure = sorted((each for each in found if each.p_holm < 0.05), key=lambda each: -abs(each.value))
        named = "; ".join(f"{each.name} - {each.other} {short(each.value, '+')}" for each in sure[:5])
        more = f"; and {len(sure) - 5} more" if len(sure) > 5 else ""
        listed = f": {named}{more}" if sure else ""
        if found:
            lines.append(f"{len(sure)} of {len(found)} differences {what} survive Holm's correction{listed}.")
    return lines


def selection_cells(report: Report) -> TableCells:
    """The main table: header and rows."""
    return ROW_HEADER, [row_cells(row) for row in report.rows]


def row_cells(row: TableRow) -> Cells:
    """A row as it stands under ROW_HEADER."""
    value = (row.name, short(row.value), interval(row.low, row.high))
    if row.name == "pass@1":
        return (*value, "", "", "")
    gain = (short(row.gain, "+"), interval(row.gain_low, row.gain_high, "+"))
    return (*value, *gain, "" if row.name.startswith("pass@") else p_value(row))


def p_value(row: TableRow) -> str:
    """The row's p-value, the corrected one where it has one."""
    p = row.p if math.isnan(row.p_holm) else row.p_holm
    return p_text(p)


def curve_cells(report: Report) -> TableCells:
    """Best of k: header and rows."""
    rows = [(curve.name, *("" if v is None else short(v) for v in curve.values)) for curve in report.curves]
    return ("best of k", *(f"k = {k}" for k in report.ks)), rows


def at_k_cells(report: "Report | Tested") -> TableCells:
    """The gain of selection among k samples, for a few k and for all: header and rows; * is p below .05."""
    if not report.at_k:
        return (), []
    found = [(f"of {part.k}", part.rows) for part in report.at_k] + [("of all", report.rows)]
    rows = [
        (name, *(_gain_cell(row) for row in alike))
        for name, *alike in zip([row.name for row in report.rows], *(rows for _, rows in found), strict=True)
        if not name.startswith("pass@")
    ]
    return ("gain, selection among", *(title for title, _ in found)), rows


def _gain_cell(row: TableRow) -> str:
    """+.031*: the gain, and whether it is more than chance after correction."""
    if math.isnan(row.gain):
        return ""
    p = row.p if math.isnan(row.p_holm) else row.p_holm
    return short(row.gain, "+") + ("*" if p < 0.05 else " ")


def score_cells(report: Report) -> TableCells:
    """What each objective's scores know: header and rows."""
    calibration = {each.name: each for each in report.calibrations}
    difficulty = {each.name: each for each in report.difficulties}
    rows = []
    for row in (row for row in report.rows if row.name in report.chosen):
        known, error = difficulty[row.name], calibration[row.name].error
        numbers = (known.between, known.correlation, float("nan") if error is None else error)
        rows.append(
            (
                row.name,
                f"{row.headroom:.0%}",
                short(row.auc),
                short(row.gain_without_length, "+"),
                *("" if math.isnan(number) else short(number) for number in numbers),
            )
        )
    header = ("scores", "headroom", "AUC", "less length", "between", "difficulty", "calibration")
    return header, rows


def learning_cells(report: Report) -> TableCells:
    """The learning curve: header and rows."""
    if report.learning is None:
        return (), []
    line = report.learning.line
    header = ("trained on problems", *map(str, report.learning.problems))
    return header, [(line.name, *(short(value) for value in line.value))]


def repeat_cells(report: Report) -> TableCells:
    """The objectives over several draws of the folds: header and rows."""
    if report.repeats is None:
        return (), []
    seeds, spread = report.repeats.seeds, report.repeats.spread
    rows: list[Cells] = [(*row_cells(row)[:5], short(spread[row.name]), p_value(row)) for row in report.repeats.rows]
    return (f"{len(seeds)} foldings", *ROW_HEADER[1:5], "spread", "p"), rows


def chosen_cells(report: Report) -> TableCells:
    """What was chosen for every objective in every fold: header and rows."""
    rows = [
        (
            name,
            str(fold + 1),
            " ".join(choice["views"]),
            choice["form"],
            *(f"{choice[part]:g}" for part in ("l2", "learning_rate", "temperature", "epochs")),
            "" if choice["inner_figure"] is None else short(choice["inner_figure"]),
        )
        for name, choices in report.chosen.items()
        for fold, choice in enumerate(choices)
    ]
    header = ("objective", "fold", "reads", "form", "l2", "learning rate", "temperature", "epochs", "inner folds")
    return header, rows


def choice_cells(report: Report) -> TableCells:
    """What nested selection took for each objective, and in how many folds where they differ: header and rows."""
    parts = ("l2", "learning_rate", "temperature")
    rows: list[Cells] = [
        (
            name,
            _counted([_read(each) for each in choices]),
            *(_counted([f"{each[part]:g}".replace("0.", ".", 1) for each in choices]) for part in parts),
            _counted([str(each["epochs"]) for each in choices], spread=True),
        )
        for name, choices in report.chosen.items()
    ]
    return ("chosen in the folds", "layer", "l2", "learning rate", "temperature", "epochs"), rows


def _read(choice: dict[str, Any]) -> str:
    """What a probe reads, and its form where that is not the usual one."""
    form = "" if choice["form"] == "linear" else f" {choice['form']}"
    return " ".join(choice["views"]) + form


def _counted(values: list[str], *, spread: bool = False) -> str:
    """One value where all agree; else each with its number, or the least and the greatest."""
    counts = Counter(values)
    if len(counts) == 1:
        return values[0]
    if spread:
        return f"{min(values, key=float)}-{max(values, key=float)}"
    return "\n".join(f"{value} x{count}" for value, count in counts.most_common())


def difference_cells(report: Report) -> TableCells:
    """Each objective against the best of them, p corrected for all pairs of objectives: header and rows."""
    best = max(report.chosen, key=lambda name: next(row.value for row in report.rows if row.name == name))
    rows: list[Cells] = []
    for each in report.differences["objectives"]:
        if best not in (each.name, each.other):
            continue
        sign, other = (1, each.other) if each.name == best else (-1, each.name)
        low, high = sorted((sign * each.low, sign * each.high))
        rows.append((other, short(sign * each.value, "+"), interval(low, high, "+"), p_text(each.p_holm)))
    return (f"{best} less", "difference", "95 % interval", "p"), rows


def pair_cells(report: Report) -> TableCells:
    """Every pair of objectives: header and rows."""
    rows: list[Cells] = [
        (
            f"{each.name} less {each.other}",
            short(each.value, "+"),
            interval(each.low, each.high, "+"),
            p_text(each.p_holm),
        )
        for each in report.differences["objectives"]
    ]
    return ("pairs of objectives", "difference", "95 % interval", "p"), rows


def status_cells(report: Report) -> TableCells:
    """Verdicts by status: header and rows."""
    total = sum(report.statuses.values())
    rows: list[Cells] = [(name, f"{count:,}", share(count / total)) for name, count in report.statuses.items()]
    return ("verdict", "programs", "share"), rows


def extraction_cells(report: Report) -> TableCells:
    """What programs lack that were made from completions: header and rows."""
    rows: list[Cells] = [
        (name, f"{count:,}", share(count / report.samples)) for name, count in report.extraction.items()
    ]
    return ("extraction", "samples", "share"), rows


def is_gain(row: Cells) -> bool:
    """Whether a row is a gain whose whole interval lies above zero."""
    return len(row) == len(ROW_HEADER) and row[4].startswith("[+") and not row[0].startswith("pass@")


def tables(report: Report) -> list[TableCells]:
    """Every table that has rows, as header and rows."""
    every = (
        selection_cells,
        difference_cells,
        at_k_cells,
        curve_cells,
        score_cells,
        learning_cells,
        repeat_cells,
        choice_cells,
        status_cells,
        extraction_cells,
    )
    return [(header, rows) for header, rows in (cells(report) for cells in every) if rows]
