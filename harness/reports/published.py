"""Folders that hold a report and not the run it was made from, as those of results/reference do."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.data_files import parse_json
from harness.errors import QprobeError
from harness.reports.preferences import SCHEMA as PREFERENCES_SCHEMA
from harness.reports.preferences import PreferenceReport
from harness.reports.report import Report
from harness.reports.transfer import SCHEMA as TRANSFER_SCHEMA
from harness.reports.transfer import TransferReport

REPORT_FILE = "report.json"

Published = Report | TransferReport | PreferenceReport

KINDS: Mapping[str, type[Published]] = {TRANSFER_SCHEMA: TransferReport, PREFERENCES_SCHEMA: PreferenceReport}
"""Schema -> the report that has it; all others are reports on code."""


def is_published(folder: Path) -> bool:
    """Return True for a folder with a report and without the samples that a run has."""
    return (folder / REPORT_FILE).is_file() and not (folder / "run.sqlite").is_file()


def read_published(folder: Path) -> Published:
    """Return the report in a folder. Raises QprobeError where it cannot be read as one."""
    path = folder / REPORT_FILE
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise QprobeError(f"{path} is not a report: {error}.") from error
    if not isinstance(data, dict):
        raise QprobeError(f"{path} is not a report: it holds no JSON object.")
    return KINDS.get(str(data.get("schema")), Report).from_json(data)


def what_is_missing(folder: Path) -> str:
    """Return a sentence about what a published report lacks."""
    readme = folder.parent / "README.md"
    remade = f" {readme} says how to make the run." if readme.is_file() else ""
    return f"{folder} holds a report and not its run: no samples or programs.{remade}"
