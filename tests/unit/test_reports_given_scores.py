"""Scores from a file as a row of a report."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.commands.main import app
from harness.errors import QprobeError
from harness.reports.build import report
from harness.reports.given_scores import read_scores, with_scores
from harness.reports.inputs import ReportInputs, read_inputs
from harness.reports.render.guide import guide
from harness.reports.render.headline import headline
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.made_run import fill

Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "run"
    with Store(folder, create=True) as store:
        fill(store)
        probe(store, ["mse"], folds=3)
    return folder


@pytest.fixture(scope="module")
def inputs(folder: Path) -> ReportInputs:
    with Store(folder, read_only=True) as store:
        return read_inputs(store)


def rows_of(inputs: ReportInputs, score: Callable[[str, int], float]) -> Rows:
    rows: Rows = []
    for problem, indices in zip(inputs.scores.problem_ids, inputs.scores.indices_PN.tolist(), strict=True):
        rows += [{"problem": problem, "index": index, "score": score(problem, index)} for index in indices]
    return rows[::-1]  # in another order than the run's


def write(path: Path, rows: Rows) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["problem", "index", "score"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_file_of_rewards_is_the_oracle(tmp_path: Path, inputs: ReportInputs, ending: str):
    rewards = {sample: outcome.reward for sample, outcome in inputs.verdicts.items()}
    file = write(tmp_path / f"judge.{ending}", rows_of(inputs, lambda problem, index: rewards[problem, index]))
    result = report(with_scores(inputs, [file]))
    rows = {row.name: row for row in result.rows}
    assert rows["judge"].value == rows["pass@6"].value == 1.0
    assert rows["judge"].auc == 1.0
    assert {"judge"} <= {line.name for line in result.best_of_k.lines}
    assert "judge" in {item.other for item in result.differences["others"]}
    assert headline(result).baseline.name != "judge", "a file may know the labels"
    assert result.given == ("judge",)
    assert next(words for names, words in guide(result) if "judge" in names).startswith("Scores from files")
    without = {row.name: row for row in report(inputs).rows}
    assert rows["mse"].value == without["mse"].value, "further rows change no other"


def test_a_file_of_lengths_is_the_row_of_lengths(tmp_path: Path, inputs: ReportInputs):
    lengths_PN = inputs.scores.features.lengths_PN
    at = {(p, int(n)): (i, j) for i, p in enumerate(inputs.scores.problem_ids) for j, n in enumerate(range(6))}
    file = write(tmp_path / "by-length.jsonl", rows_of(inputs, lambda p, n: float(lengths_PN[at[p, n]])))
    result = report(with_scores(inputs, [file]))
    rows = {row.name: row for row in result.rows}
    assert rows["by-length"].value == pytest.approx(rows["longest"].value)
    assert np.allclose(result.per_problem.value["by-length"], result.per_problem.value["longest"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-2], "lacks a score for 2 of 72 samples, first M/0, index 0"),
        (lambda rows: [*rows, {"problem": "M/99", "index": 0, "score": 1}], "1 samples that the run lacks, first M/99"),
        (lambda rows: [*rows, rows[0]], "line 73: index 5 of M/11 has a score already"),
        (lambda rows: [{**rows[0], "score": float("inf")}, *rows[1:]], "line 1: the score inf is not finite"),
        (lambda rows: [{**rows[0], "score": "high"}, *rows[1:]], "line 1: could not convert"),
        (lambda rows: [{**rows[0], "score": True}, *rows[1:]], "line 1: the column 'score' is no number"),
        (lambda rows: [{"problem": "M/0", "score": 1.0}, *rows[1:]], "line 1: the column 'index' is missing"),
        (lambda rows: [], "holds no scores"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(
    tmp_path: Path, inputs: ReportInputs, change: Callable[[Rows], Rows], words: str
):
    file = write(tmp_path / "judge.jsonl", change(rows_of(inputs, lambda problem, index: 0.5)))
    with pytest.raises(QprobeError, match=words):
        with_scores(inputs, [file])


def test_other_refusals(tmp_path: Path, inputs: ReportInputs):
    rows = rows_of(inputs, lambda problem, index: 0.5)
    with pytest.raises(QprobeError, match="has a row longest already: rename"):
        with_scores(inputs, [write(tmp_path / "longest.csv", rows)])
    with pytest.raises(QprobeError, match="has a row twice already"):
        with_scores(inputs, [write(tmp_path / "twice.csv", rows), write(tmp_path / "twice.jsonl", rows)])
    (tmp_path / "text.jsonl").write_text("score: 3\n")
    with pytest.raises(QprobeError, match="line 1: not JSON"):
        read_scores(tmp_path / "text.jsonl")
    with pytest.raises(QprobeError, match="no such file"):
        read_scores(tmp_path / "absent.csv")


def test_the_command_shows_the_row(tmp_path: Path, folder: Path, inputs: ReportInputs):
    file = write(tmp_path / "judge.csv", rows_of(inputs, lambda problem, index: float(index)))
    shown = CliRunner().invoke(app, ["report", str(folder), "--scores", str(file), "--format", "csv"])
    assert shown.exit_code == 0, shown.output
    assert ",judge," in shown.output
