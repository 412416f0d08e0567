"""Exports: the same columns in every format, to a file, to a compressed file and through a pipe."""

import csv
import gzip
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import QprobeError
from harness.runs.samples_table import COLUMNS
from harness.runs.store import Store
from harness.stages.export import export
from harness.stages.run import Run
from sandbox import Outcome, Status
from tests.command import qprobe
from tests.made_run import fill

HOSTILE = 'a "quote", a comma,\r\nand \x1b[31m'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with Store(tmp_path / "run", create=True) as store:
        fill(store, detail=HOSTILE, problems=6, samples=4)
    with Run(tmp_path / "run") as made:
        made.probe(["mse", "pg"])
    return tmp_path / "run"


def rows_of(run: Path) -> list[dict]:
    with Run(run, read_only=True) as opened:
        return list(opened.samples_table())


def test_json_lines_hold_the_table(run: Path):
    done = qprobe("export", str(run))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows == rows_of(run)
    assert len(rows) == 24
    assert list(rows[0]) == [*COLUMNS, "fold", "score: mse", "score: pg"]
    assert {row["status"] for row in rows} == {"passed", "failed"}
    assert all(isinstance(row["score: pg"], float) and row["length"] > 0 for row in rows)
    assert done.stderr == ""


def test_csv_reads_back(run: Path, tmp_path: Path):
    assert qprobe("export", str(run), "-o", str(tmp_path / "out.csv")).stderr.startswith("Wrote 24 samples")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_bytes().decode(), newline="")))
    expected = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows_of(run)]
    assert rows == expected


def test_a_name_that_ends_in_gz_is_compressed(run: Path, tmp_path: Path):
    with Store(run, read_only=True) as store:
        for name in ("out.csv", "out.jsonl", "again.jsonl"):
            assert export(store, tmp_path / name) == export(store, tmp_path / f"{name}.gz") == 24
            assert gzip.decompress((tmp_path / f"{name}.gz").read_bytes()) == (tmp_path / name).read_bytes()
    assert (tmp_path / "out.jsonl.gz").read_bytes() == (tmp_path / "again.jsonl.gz").read_bytes()


def test_parquet_holds_typed_columns(run: Path, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    with Store(run, read_only=True) as store:
        assert export(store, tmp_path / "out.parquet") == 24
        with pytest.raises(QprobeError, match=r"not compressed: write out.parquet"):
            export(store, tmp_path / "out.parquet.gz")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.to_pylist() == rows_of(run)
    types = {name: str(table.schema.field(name).type) for name in ("problem", "index", "reward", "tokens", "fold")}
    assert types == {"problem": "string", "index": "int64", "reward": "double", "tokens": "int64", "fold": "int64"}


def test_polars_and_pandas_get_the_same_columns(run: Path):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    with Run(run, read_only=True) as opened:
        table = opened.samples_table()
    frame = table.to_polars()
    assert frame.columns == list(table.to_pandas().columns) == list(table.columns)
    assert frame["tokens"].dtype == polars.Int64
    assert frame.rows(named=True) == list(table)
    assert isinstance(table.to_pandas(), pandas.DataFrame)


@pytest.mark.parametrize(("method", "package"), [("pandas", "pandas"), ("polars", "polars"), ("arrow", "pyarrow")])
def test_a_package_that_is_missing_is_one_sentence(
    run: Path, tmp_path: Path, method: str, package: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, package, None)
    with Run(run, read_only=True) as opened:
        with pytest.raises(QprobeError, match=f"needs {package}: pip install {package}"):
            getattr(opened.samples_table(), f"to_{method}")()
        if package == "pyarrow":
            with pytest.raises(QprobeError, match="pip install pyarrow"):
                export(opened.store, tmp_path / "out.parquet")
            assert not list(tmp_path.glob("*out.parquet*"))


def test_a_terminal_gets_nothing_unless_it_is_named(run: Path):
    host, terminal = pty.openpty()
    command = [sys.executable, "-m", "qprobe", "export", str(run)]
    for more, status in (((), 1), (("--format", "parquet", "-o", "-"), 1), (("-o", "-", "--format", "csv"), 0)):
        done = subprocess.run([*command, *more], stdout=terminal, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert ("name a file" in done.stderr.lower()) is bool(status)
    os.close(terminal)
    os.close(host)


def test_a_reader_that_has_enough_gets_no_error(run: Path):
    command = f"{sys.executable} -m qprobe export {run} | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ('{"problem"', "")


def test_a_run_that_is_in_use_is_exported_as_it_is(run: Path, tmp_path: Path):
    with Store(run) as store:
        store.note("k", 6)
        done = qprobe("export", str(run), "-o", str(tmp_path / "out.csv"))
    assert done.returncode == 0
    assert "A command is at work in" in done.stderr
    assert "24 of 36 samples are there" in done.stderr


def test_scores_older_than_the_verdicts_are_left_out_and_named(run: Path):
    with Store(run) as store:
        verdicts = store.verdicts("g")
        store.add_verdicts("h", {sample: Outcome(Status.TIMEOUT) for sample in verdicts})
        store.note("grader", "h")
    done = qprobe("export", str(run))
    row = json.loads(done.stdout.splitlines()[0])
    assert row["status"] == "timeout"
    assert not {"fold", "score: mse"} & row.keys()
    assert "are older than its verdicts" in done.stderr
