"""The report's tables beside the main one, against simpler computations, and the report as text in every form."""

import csv
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks import Problem
from harness.reports.build import report
from harness.reports.extraction_failures import CUT, EMPTY, MISSING, SYNTAX, sample_failures
from harness.reports.inputs import read_inputs
from harness.reports.render.formats import FORMATS, terminal
from harness.reports.render.notes import notes
from harness.reports.render.rules import rule_notes
from harness.reports.render.tables import (
    choice_cells,
    difference_cells,
    extraction_cells,
    pair_cells,
    rule_cells,
    status_cells,
)
from harness.reports.render.text import latex
from harness.reports.render.warnings import warnings
from harness.reports.report import BestOfK, CurveSeries, Report
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.probe import probe
from harness.stats import TableRow
from sandbox import Outcome, Status
from tests.made_run import fill


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with Store(tmp_path_factory.mktemp("formats") / "run_1", create=True) as store:
        fill(store, program=lambda p, n: "def g():\n    return 1\n" if n == 5 else f"def f():\n    return {n}\n")
        probe(store, ["mse", "ce", "pairwise"], folds=4)
        return report(read_inputs(store))


PROBLEM = Problem("P/1", "def f(x):\n", "f", "assert f(1)")


@pytest.mark.parametrize(
    ("program", "status", "reason", "expected"),
    [
        ("def f(x):\n    return x\n", Status.FAILED, "stop", []),
        ("def f(x):\n", Status.SYNTAX, "stop", [EMPTY, SYNTAX]),
        ("def g(x):\n    return f(x)\n", Status.ERROR, "", [MISSING]),
        ("f = lambda x: x\n", Status.PASSED, "", []),
        ("f: Any = len\n", Status.PASSED, "", []),
        ("from m import g as f\n", Status.PASSED, "", []),
        ("def ff(x):\n    return f == 1\n", Status.ERROR, "length", [MISSING, CUT]),
        ("", Status.ERROR, "", [EMPTY, MISSING]),
    ],
)
def test_what_a_program_lacks(program: str, status: Status, reason: str, expected: list[str]):
    completion = Completion("P/1", 0, PROBLEM.prompt, "", program, reason)
    assert sample_failures(PROBLEM, completion, Outcome(status)) == expected


def test_extraction_and_verdicts_are_counted(result: Report):
    assert result.extraction_failures == {MISSING: 12}
    assert extraction_cells(result)[1] == [(MISSING, "12", "16.7 %")]
    assert status_cells(result)[1] == [("failed", "48", "66.7 %"), ("passed", "24", "33.3 %")]


@pytest.mark.parametrize(
    ("broken", "start"),
    [(37, "Warning: 37 of 72 programs, more than half, do not compile."), (35, "35 of 72 programs do")],
)
def test_programs_that_do_not_compile_are_told_of(result: Report, broken: int, start: str):
    changed = replace(result, statuses={Status.SYNTAX: broken, Status.PASSED: 72 - broken})
    lines = [*(f"Warning: {line}" for line in warnings(changed)), *notes(changed)]
    assert any(line.startswith(start) for line in lines)


def test_the_best_objective_is_set_against_each_other_one(result: Report):
    values = {row.name: row.value for row in result.rows if row.name in result.hyperparameters}
    best = max(values, key=lambda name: values[name])
    header, rows = difference_cells(result)
    assert header[0] == f"{best} minus"
    assert {row[0] for row in rows} == set(values) - {best}
    for name, difference, interval, _ in rows:
        assert float(difference) == pytest.approx(values[best] - values[name], abs=0.0006)
        low, high = map(float, interval.strip("[]").split(","))
        assert low <= float(difference) <= high
    assert len(pair_cells(result)[1]) == 3


def test_choices_are_summed_up_over_folds(result: Report):
    some = {"views": ["3/last"], "form": "linear", "l2": 0.01, "learning_rate": 0.003, "temperature": 1, "epochs": 4}
    choices = [{**some, "inner_figure": 0.5}, {**some, "l2": 1.0, "epochs": 11, "inner_figure": None}]
    changed = replace(result, hyperparameters={"mse": [*choices, choices[0]]})
    assert choice_cells(changed)[1] == [("mse", "3/last", ".01 x2\n1 x1", ".003", "1", "4-11")]


def test_the_terminal_shows_all_of_it_in_80_columns(result: Report):
    console = Console(width=80, file=io.StringIO())
    console.print(terminal(result, full=True))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for word in ("selection", "minus", "best of k", "scores", "hyperparameters", "verdict", "extraction failure"):
        assert word in text


def test_every_form_says_the_same(result: Report):
    texts = {name: write(result) for name, write in FORMATS.items()}
    value = next(row.value for row in result.rows if row.name == "mse")
    assert next(row["value"] for row in json.loads(texts["json"])["rows"] if row["name"] == "mse") == value
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [float(row["value"]) for row in rows if (row["name"], row["k"]) == ("mse", "6")] == [value]
    assert {row["k"] for row in rows} == {"5", "6"}
    text = f"{value:.3f}".lstrip("0")
    assert f"| mse | {text} |" in texts["markdown"]
    assert f"mse & {text} &" in texts["latex"]
    marked = [line for line in texts["markdown"].splitlines() if "|" in line]
    assert all(line[0] == line[-1] == "|" for line in marked), "a cell of several lines would break the table"
    assert texts["latex"].count(r"\begin{tabular}") == texts["latex"].count(r"\end{tabular}") >= 7


def test_a_minus_is_one_in_latex():
    assert latex("-.104") == "$-$.104"
    assert latex("[-.297, +.108]") == "[$-$.297, +.108]"
    assert latex("4-11 of_a & -x") == r"4-11 of\_a \& -x"


def row(name: str, gain: float) -> TableRow:
    numbers = dict.fromkeys(("value", "low", "high", "gain_low", "gain_high", "headroom", "headroom_low"), 0.5)
    return TableRow(name, gain=gain, p=0.2, p_holm=0.4, headroom_high=0.5, **numbers)


def test_rules_that_disagree_and_curves_that_fall_have_a_sentence(result: Report):
    kinds = ("arg max", "softmax", "arg max among")
    assert {name: tuple(row.name for row in rows) for name, rows in result.rules.items()} == dict.fromkeys(
        ("mse", "ce", "pairwise"), kinds
    )
    header, cells = rule_cells(result)
    assert header == ("gain by rule", *kinds, "as selected", "selected")
    assert [line[0] for line in cells] == ["mse", "ce", "pairwise"]
    agreeing = replace(result, rules={"mse": (row("arg max", 0.03), row("softmax", 0.02))})
    assert len(rule_notes(agreeing)) == 1 + ("falls as k grows" in " ".join(rule_notes(agreeing)))
    split = replace(result, rules={"mse": (row("arg max", -0.03), row("softmax", 0.02))})
    assert any("disagree in sign: mse (softmax +.020, arg max -.030)" in line for line in rule_notes(split))
    line = CurveSeries("mse", [0.2, 0.35, 0.3], [0.1] * 3, [0.4] * 3)
    falling = replace(agreeing, best_of_k=BestOfK([1, 2, 3], [line]))
    assert any("mse (highest at k = 2, .350; .300 at k = 3)" in line for line in rule_notes(falling))
    rising = replace(agreeing, best_of_k=BestOfK([1, 2, 3], [replace(line, value=[0.2, 0.3, 0.35])]))
    assert len(rule_notes(rising)) == 1
    assert rule_notes(replace(result, rules={})) == []
