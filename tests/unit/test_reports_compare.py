"""Runs side by side: paired by problem, against a second and simpler computation; and tables as text."""

import csv
import io
import json
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
