"""Runs side by side: paired by problem, against a second and simpler computation; and tables as text."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from harness.commands.show import comparison_text
from harness.errors import QprobeError
from harness.reports.build import report
from harness.reports.compare import Comparison, compare
from harness.reports.inputs import read_inputs
from harness.reports.render import comparison_tables
from harness.reports.render.text import csv_text, latex_table, markdown_table
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.command import REPOSITORY, qprobe
from tests.made_run import fill


def make(folder: Path, *, problems: int = 12, signal: float = 8.0, name: str = "M/") -> Path:
    """A run with probes."""
    with Store(folder, create=True) as store:
        fill(store, problems=problems, signal=signal, name=name)
        probe(store, ["mse"], folds=3, preset="paper")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs: the second has fewer problems, and vectors that tell nothing."""
    folder = tmp_path_factory.mktemp("compare")
    return [make(folder / "clear"), make(folder / "noise", problems=9, signal=0.0)]


@pytest.fixture(scope="module")
def comparison(runs: list[Path]) -> Comparison:
    return compare(runs)


def test_only_common_problems_are_compared_and_paired(runs: list[Path], comparison: Comparison):
    by_run = []
    for run in runs:
        with Store(run) as store:
            result = report(read_inputs(store)).per_problem
        by_run.append(dict(zip(result.id, result.value["mse"], strict=True)))
    common = [f"M/{p}" for p in range(9)]
    expected = [np.mean([values[item] for item in common]) for values in by_run]
    cells = {(cell.row, cell.run): cell for cell in comparison.cells}
    assert (comparison.problems, comparison.problems_left_out) == (9, 3)
    assert [cells["mse", run].value for run in ("clear", "noise")] == pytest.approx(expected)
    assert [item.row for item in comparison.differences] == ["pass@1", "mse", "pass@6"]
    mse = comparison.differences[1]
    assert mse.value == pytest.approx(expected[1] - expected[0])
    assert mse.low <= mse.value <= mse.high
    assert 1 >= mse.p_holm >= mse.p > 0
    assert comparison.differences[0].value == 0, "the same samples"


def test_a_report_and_a_comparison_have_the_same_intervals(runs: list[Path], tmp_path: Path):
    """Over the same problems: the figures of one run do not depend on the command that prints them."""
    shutil.copytree(runs[0], tmp_path / "again")
    with Store(runs[0], read_only=True) as store:
        rows = {row.name: row for row in report(read_inputs(store)).rows}
    cells = [cell for cell in compare([runs[0], tmp_path / "again"], list(rows)[:4]).cells if cell.run == "clear"]
    assert len(cells) == 4
    for cell in cells:
        row = rows[cell.row]
        assert (cell.value, cell.low, cell.high) == pytest.approx((row.value, row.low, row.high), abs=1e-12)


def published(run: Path, folder: Path, *, with_values: bool) -> Path:
    """A folder with the run's report alone."""
    with Store(run, read_only=True) as store:
        result = report(read_inputs(store))
    folder.mkdir()
    kept = result if with_values else replace(result, per_problem=None)
    (folder / "report.json").write_text(json.dumps(kept.as_json()))
    return folder


def test_a_published_report_is_compared_by_its_own_figures(runs: list[Path], tmp_path: Path):
    alone = published(runs[1], tmp_path / "alone", with_values=False)
    comparison = compare([runs[0], alone])
    assert (comparison.problems, comparison.differences, comparison.without_values) == (0, (), ("alone",))
    data = json.loads((alone / "report.json").read_text())
    cells = {(cell.row, cell.run): cell.value for cell in comparison.cells}
    assert cells["mse", "alone"] == next(row["value"] for row in data["rows"] if row["name"] == "mse")
    console = Console(width=80, file=io.StringIO())
    console.print(comparison_tables.terminal(comparison))
    assert "alone holds no values per problem, so nothing is paired" in console.file.getvalue()
    assert len(list(csv.DictReader(io.StringIO(comparison_text(comparison, "csv"))))) == len(comparison.cells)


def test_a_report_with_values_per_problem_is_paired_without_its_run(
    runs: list[Path], comparison: Comparison, tmp_path: Path
):
    kept = published(runs[1], tmp_path / "noise", with_values=True)
    assert compare([runs[0], kept]) == comparison


def test_the_reference_runs_are_compared_and_shown():
    reference = REPOSITORY / "results" / "reference"
    comparison = compare([reference / "qwen3-base", reference / "qwen3-instruct"])
    assert {cell.run for cell in comparison.cells} == {"qwen3-base", "qwen3-instruct"}
    with pytest.raises(QprobeError, match="no problem in common"):
        compare([reference / "qwen3-base", reference / "codegen16b"])
    with pytest.raises(QprobeError, match="holds the report of a transfer"):
        compare([reference / "qwen3-base", reference / "transfer-adapt-bm25"])
    for name, text in (("codegen16b", "codegen16b: humaneval, 164 problems"), ("transfer-adapt-bm25", "2,460 samples")):
        done = qprobe("report", str(reference / name))
        assert done.returncode == 0, done.stderr
        assert text in done.stdout
        assert "holds a report and not its run: no samples or programs" in done.stderr
    refused = qprobe("report", str(reference / "codegen16b"), "--k", "5")
    assert refused.returncode == 1
    assert "--k, --greedy, --scores and --track need the run: " in refused.stderr
    assert json.loads(qprobe("report", str(reference / "codegen16b"), "--json").stdout)["run"] == "codegen16b"


def test_reports_of_two_benchmarks_without_values_per_problem(tmp_path: Path):
    """As those of earlier versions are: only their figures can stand side by side."""
    for name in ("qwen3-base", "codegen16b"):
        report = json.loads((REPOSITORY / "results" / "reference" / name / "report.json").read_text())
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps({**report, "per_problem": None}))
    with pytest.raises(QprobeError, match="The reports are of mbpp and humaneval"):
        compare([tmp_path / "qwen3-base", tmp_path / "codegen16b"])


def test_a_file_that_is_no_report_is_one_sentence(runs: list[Path], tmp_path: Path):
    for text in ("{", "[]", '{"schema": "qprobe-report/1"}'):
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(QprobeError, match=r"is not a report|has the schema"):
            compare([runs[0], tmp_path])


def test_every_form_holds_the_differences(comparison: Comparison):
    data = json.loads(comparison_text(comparison, "json"))
    assert data["schema"] == "qprobe-compare/2"
    rows = list(csv.DictReader(io.StringIO(comparison_text(comparison, "csv"))))
    assert [float(row["value"]) for row in rows] == [item["value"] for item in data["differences"]]
    assert "| mse | noise |" in comparison_text(comparison, "markdown")
    assert r"\begin{tabular}{lrrrr}" in comparison_text(comparison, "latex")


def test_the_terminal_table_fits_80_columns(comparison: Comparison):
    console = Console(width=80, file=io.StringIO())
    console.print(comparison_tables.terminal(comparison))
    text = console.file.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    assert "Left out: 3 problems that some run lacks" in text


def test_what_cannot_be_compared_is_refused(runs: list[Path], tmp_path: Path):
    other = make(tmp_path / "other", name="X/")
    with pytest.raises(QprobeError, match="no problem in common"):
        compare([runs[0], other])
    with pytest.raises(QprobeError, match="at least two runs"):
        compare(runs[:1])
    with pytest.raises(QprobeError, match="given twice"):
        compare([runs[0], runs[0].parent / "noise" / ".." / "clear"])
    with pytest.raises(QprobeError, match=r"No two runs have the row 'pg'\. Choose from pass@1, mse"):
        compare(runs, ["pg"])
    with pytest.raises(QprobeError, match="is not a run"):
        compare([runs[0], tmp_path])


def test_cells_are_escaped_in_every_form():
    table = (("a|b", "x_1"), [("50 %", "-.004"), ("c\\d", "<.001")])
    assert markdown_table(*table).splitlines()[0] == r"| a\|b | x_1 |"
    text = latex_table(*table)
    assert r"x\_1" in text
    assert r"50 \% & $-$.004 \\" in text
    assert r"c\textbackslash{}d & \textless{}.001 \\" in text
    rows = list(csv.reader(io.StringIO(csv_text([{"name": 'a,"b"', "p": None}]))))
    assert rows == [["name", "p"], ['a,"b"', ""]]
