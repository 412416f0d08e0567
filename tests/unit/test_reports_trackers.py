"""A report in MLflow's file store and in an offline run of Weights & Biases; one sentence if neither is installed."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from harness.errors import QprobeError
from harness.reports.report import Report
from harness.reports.trackers import figures, plain, read_run, track
from tests.command import REPOSITORY

PUBLISHED = REPOSITORY / "results" / "reference" / "codegen16b"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with a published report."""
    folder = tmp_path / "codegen16b"
    folder.mkdir()
    shutil.copy(PUBLISHED / "report.json", folder)
    (folder / "config.toml").write_text('benchmark = "humaneval"\nk = 100\n')
    return folder


def test_names_are_plain():
    assert [plain(name) for name in ("pass@1", "agreement (programs)", "mse")] == [
        "pass_at_1",
        "agreement_programs",
        "mse",
    ]


def test_every_number_of_the_table_is_sent():
    report = Report.from_json(json.loads((PUBLISHED / "report.json").read_text()))
    logged = figures(report)
    mse = next(row for row in report.rows if row.name == "mse")
    assert logged["mse/value"] == mse.value
    assert (logged["mse/gain_low"], logged["mse/high"]) == (mse.gain_low, mse.high)
    assert "pass_at_1/auc" not in logged, "a number that does not exist"
    assert len({name.split("/")[0] for name in logged}) == len(report.rows)


def test_mlflow_holds_the_report(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    track("mlflow", run)
    (logged,) = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name("qprobe").experiment_id])
    sent = read_run(run)
    assert logged.info.run_name == "codegen16b"
    assert logged.data.params["k"] == "100"
    assert logged.data.metrics == pytest.approx(sent.figures)
    held = {file.path for file in mlflow.MlflowClient().list_artifacts(logged.info.run_id)}
    assert held == {"report.json", "config.toml"}


def test_wandb_writes_an_offline_run(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    for name, value in {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    track("wandb", run)
    (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert b"mse/gain" in log.read_bytes()


def test_one_sentence_where_it_cannot_be(run: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(QprobeError, match=r"Unknown tracker 'tensorboard'. Choose from mlflow, wandb.$"):
        track("tensorboard", run)
    with pytest.raises(QprobeError, match=r"Choose from mlflow, wandb. Did you mean 'mlflow'\?"):
        track("MLflow", run)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # as if nothing was installed
    for tracker, package in (("mlflow", "mlflow-skinny"), ("wandb", "wandb")):
        with pytest.raises(QprobeError, match=rf"{tracker} is not installed: run pip install {package}\.$"):
            track(tracker, run)
