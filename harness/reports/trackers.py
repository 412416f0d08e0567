"""Send a run's report to an experiment tracker, through the tracker's own library; nothing is sent unless asked for.

Where to, and as whom, is the library's own affair: MLFLOW_TRACKING_URI, WANDB_MODE, WANDB_API_KEY and their like.
"""

import importlib.util
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import QprobeError
from harness.runs.config_file import CONFIG_FILE
from harness.runs.provenance import PROVENANCE_FILE

PROJECT = "qprobe"
FIGURES = ("value", "low", "high", "gain", "gain_low", "gain_high", "p", "headroom", "auc")
FILES = ("report.json", "report.md", "report.html", CONFIG_FILE, PROVENANCE_FILE)


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a tracker is told of a run."""

    name: str
    settings: dict[str, Any]
    figures: dict[str, float]  # "mse/gain", "mse/gain_low" and their like
    files: tuple[Path, ...]


def track(tracker: str, run: Path) -> None:
    """Send the report in a run's folder. Raises QprobeError where the tracker is unknown, absent or fails."""
    check_tracker(tracker)
    try:
        TRACKERS[tracker](read_run(run))
    except Exception as error:  # whatever their libraries raise: the report is there already
        reason = str(error).strip().split("\n")[0]
        raise QprobeError(f"{tracker} did not take the report ({reason}); {run} has it.") from error


def check_tracker(tracker: str) -> None:
    """Raise QprobeError where there is no such tracker, or its library is not installed. Loads nothing."""
    if tracker not in TRACKERS:
        raise QprobeError(f"There is no tracker {tracker!r}: there are {', '.join(TRACKERS)}.")
    if importlib.util.find_spec(tracker) is None:
        raise QprobeError(f"{tracker} is not installed: pip install 'qprobe[{tracker}]'.")


def read_run(run: Path) -> Tracked:
    """What a run's folder says, in a tracker's terms."""
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    config = run / CONFIG_FILE
    settings = tomllib.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    settings |= {name: report[name] for name in ("benchmark", "source", "embedder", "problems", "samples")}
    return Tracked(
        report["run"], settings, figures(report), tuple(run / name for name in FILES if (run / name).exists())
    )


def figures(report: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of the report's rows, by names that every tracker takes."""
    named = {f"{plain(row['name'])}/{figure}": row[figure] for row in report["rows"] for figure in FIGURES}
    return {name: float(value) for name, value in named.items() if value is not None}


def plain(name: str) -> str:
    """A row's name in letters, digits and underscores: pass@1 is pass_at_1."""
    return re.sub(r"\W+", "_", name.replace("@", "_at_")).strip("_")


def _to_mlflow(run: Tracked) -> None:
    import mlflow

    mlflow.set_experiment(PROJECT)
    with mlflow.start_run(run_name=run.name):
        mlflow.log_params(run.settings)
        mlflow.log_metrics(run.figures)
        for path in run.files:
            mlflow.log_artifact(str(path))


def _to_wandb(run: Tracked) -> None:
    import wandb

    with wandb.init(project=PROJECT, name=run.name, config=run.settings) as there:
        there.log(run.figures)
        files = wandb.Artifact(f"{plain(run.name)}-report", type="report")
        for path in run.files:
            files.add_file(str(path))
        there.log_artifact(files)


TRACKERS: dict[str, Callable[[Tracked], None]] = {"mlflow": _to_mlflow, "wandb": _to_wandb}
"""Name -> how to send. The package and the extra have the same name."""
