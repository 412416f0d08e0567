"""Send a run's report to an experiment tracker through the tracker's library, on request only.

The library's own settings decide the destination and the account: MLFLOW_TRACKING_URI, WANDB_MODE, WANDB_API_KEY.
"""

import importlib.util
import json
import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import QprobeError
from harness.reports.messages import choose_from
from harness.reports.report import Report
from harness.runs.config_file import CONFIG_FILE
from harness.runs.provenance import PROVENANCE_FILE
from harness.secrets import redact_error, redacted

PROJECT = "qprobe"
FIGURES = ("value", "low", "high", "gain", "gain_low", "gain_high", "p", "headroom", "auc")
FILES = ("report.json", "report.md", "report.html", CONFIG_FILE, PROVENANCE_FILE)


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """The part of a run that is sent to a tracker."""

    name: str
    settings: dict[str, Any]
    figures: dict[str, float]  # "mse/gain", "mse/gain_low", ...
    files: tuple[Path, ...]


def track(tracker: str, run: Path) -> None:
    """Send the report in a run's folder. Raises QprobeError if the tracker is unknown, not installed, or fails."""
    check_tracker(tracker)
    try:
        TRACKERS[tracker].send(read_run(run))
    except Exception as error:  # their libraries raise anything; the report is written already
        redact_error(error)
        reason = redacted(str(error)).strip().split("\n")[0]
        raise QprobeError(f"Sending the report to {tracker} failed: {reason}. The report is in {run}.") from error


def check_tracker(tracker: str) -> None:
    """Raise QprobeError if the tracker is unknown or its library is not installed. Imports nothing."""
    if tracker not in TRACKERS:
        raise QprobeError(f"Unknown tracker {tracker!r}. {choose_from(tracker, list(TRACKERS))}")
    if importlib.util.find_spec(tracker) is None:
        raise QprobeError(f"{tracker} is not installed: run pip install {TRACKERS[tracker].package}.")


def read_run(run: Path) -> TrackedRun:
    """Read the settings, figures and files of a run's folder."""
    report = Report.from_json(json.loads((run / "report.json").read_text(encoding="utf-8")))
    config = run / CONFIG_FILE
    settings = tomllib.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    settings |= {name: getattr(report, name) for name in ("benchmark", "source", "embedder", "problems", "samples")}
    files = tuple(run / name for name in FILES if (run / name).exists())
    return TrackedRun(report.run, settings, figures(report), files)


def figures(report: Report) -> dict[str, float]:
    """Return the numbers of the report's rows, by names that every tracker accepts."""
    named = {f"{plain(row.name)}/{figure}": getattr(row, figure) for row in report.rows for figure in FIGURES}
    return {name: value for name, value in named.items() if math.isfinite(value)}


def plain(name: str) -> str:
    """Return a row's name in letters, digits and underscores: pass@1 becomes pass_at_1."""
    return re.sub(r"\W+", "_", name.replace("@", "_at_")).strip("_")


def _to_mlflow(run: TrackedRun) -> None:
    import mlflow

    mlflow.set_experiment(PROJECT)
    with mlflow.start_run(run_name=run.name):
        mlflow.log_params(run.settings)
        mlflow.log_metrics(run.figures)
        for path in run.files:
            mlflow.log_artifact(str(path))


def _to_wandb(run: TrackedRun) -> None:
    import wandb

    with wandb.init(project=PROJECT, name=run.name, config=run.settings) as remote:
        remote.log(run.figures)
        files = wandb.Artifact(f"{plain(run.name)}-report", type="report")
        for path in run.files:
            files.add_file(str(path))
        remote.log_artifact(files)


@dataclass(frozen=True, slots=True)
class Tracker:
    """A tracker that reports can be sent to."""

    send: Callable[[TrackedRun], None]
    package: str  # what pip installs; the module has the tracker's name


TRACKERS = {"mlflow": Tracker(_to_mlflow, "mlflow-skinny"), "wandb": Tracker(_to_wandb, "wandb")}
"""By name."""
