"""A report that need not be computed again: that of the run's folder, where its files and this code are the same."""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np

import benchmarks
import harness
import sandbox
from benchmarks.data_files import sha256_of_all
from harness.errors import QprobeError
from harness.reports.published import read_published
from harness.reports.render.files import FILES
from harness.reports.report import Report
from harness.runs.atomic import atomic_write
from harness.runs.scores import SCORES_FILE

KEY_FILE = ".report-inputs"
READ = ("run.sqlite", "run.sqlite-wal", SCORES_FILE, "vectors-*", "provenance.jsonl")
"""The files of a run that its report and page are made from."""


def kept_report(run: Path, key: str) -> Report | None:
    """Return the report in a run's folder if its inputs had this key, and its files are as they were written."""
    try:
        kept = json.loads((run / KEY_FILE).read_text(encoding="utf-8"))
        same = kept == [key, _sha256(run)]
        report = read_published(run) if same else None
    except (OSError, ValueError, QprobeError):
        return None
    return report if isinstance(report, Report) else None


def keep_report(run: Path, key: str) -> None:
    """Note the inputs of the report in a run's folder: `key` is their `inputs_key` from before they were read."""
    with atomic_write(run / KEY_FILE) as draft:
        draft.write_text(json.dumps([key, _sha256(run)]), encoding="utf-8")


def inputs_key(run: Path) -> str:
    """Return a hash of the state of a run's files, of its name and of the code that computes reports."""
    files = sorted(file for pattern in READ for file in run.glob(pattern) if file.stat().st_size)
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([run.resolve().name, states, _code()]).encode()).hexdigest()


@cache
def _code() -> list[str]:
    folders = [Path(package.__path__[0]) for package in (harness, benchmarks, sandbox)]
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    return [np.__version__, sha256_of_all(files)]


def _sha256(run: Path) -> str:
    """Return a hash of the files of a run's report. Raises OSError where one is missing."""
    endings = (*FILES, "svg", "html")
    return sha256_of_all(run / f"report.{ending}" for ending in endings)
