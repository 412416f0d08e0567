"""Publish the reports of runs in `results/reference`, small enough for git: `python -m scripts.publish_runs RUN ...`.

A published report keeps the expected rewards of each problem, with which `qprobe compare` pairs runs, and the run's
provenance, which its page shows; paths in it lose their folders. Its page has no problem browser. A run that another
was tested with (`RUN/transfer`) is published as `transfer-RUN` beside it.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.reports.origin import origin
from harness.reports.preferences import PreferenceReport
from harness.reports.published import KINDS
from harness.reports.render import files
from harness.reports.render.files import FILES, picture
from harness.reports.render.html import page
from harness.reports.render.preference_files import write_preferences
from harness.reports.render.transfer_files import write_transfer
from harness.reports.report import PerProblem, Report
from harness.reports.transfer import TransferReport
from harness.runs.provenance import PROVENANCE_FILE, stages

FOLDERS = re.compile(r"(?<![\w.~/])(?:~?|\.\.?)/(?:[^\s/,'\"]+/)+")
"""The folders before the last part of a path that is absolute, or of the home or present folder; not an address's."""

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"


def main() -> None:
    """Publish every run named."""
    for run in map(Path, sys.argv[1:]):
        publish(run, REFERENCE / run.name)
        if (run / "transfer" / "report.json").is_file():
            publish_transfer(run / "transfer", REFERENCE / f"transfer-{run.name}")


def publish(run: Path, published: Path) -> None:
    """Publish one run's report."""
    report = KINDS.get((data := read_json(run))["schema"], Report).from_json(data)
    published.mkdir(exist_ok=True)
    if lines := stages(run):
        text = "".join(json.dumps(without_folders(line)) + "\n" for line in lines)
        (published / PROVENANCE_FILE).write_text(text, encoding="utf-8")
    if isinstance(report, PreferenceReport):
        write_preferences(report, published)
    elif isinstance(report, Report):
        write_forms(published, replace(report, per_problem=report.per_problem and values_alone(report.per_problem)))


def read_json(run: Path) -> dict[str, Any]:
    """Return the JSON of a run's report."""
    data: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return data


def values_alone(per_problem: PerProblem) -> PerProblem:
    """Return the figures per problem that a comparison reads, in nine digits; the others are as large again."""
    values = {row: [float(f"{value:.9g}") for value in column] for row, column in per_problem.value.items()}
    return replace(per_problem, value=values, best_sample={}, best_sample_passed={}, auc={})


def without_folders(value: Any) -> Any:  # noqa: ANN401 - JSON of any depth
    """Return a value whose texts name files of this machine without the folders that they are in."""
    if isinstance(value, dict):
        return {name: without_folders(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    return FOLDERS.sub("", value) if isinstance(value, str) else value


def publish_transfer(run: Path, published: Path) -> None:
    """Publish one transfer's report."""
    published.mkdir(exist_ok=True)
    write_transfer(TransferReport.from_json(read_json(run)), published)


def write_forms(folder: Path, report: Report) -> None:
    """Write a report in all its forms."""
    written = {ending: render(report) for ending, render in FILES.items()}
    files.write_forms(folder, {**written, "svg": picture(report), "html": page(report, origin=origin(folder))})


def write_json(folder: Path, data: Mapping[str, Any]) -> None:
    """Write a report's JSON as `qprobe report` does."""
    (folder / "report.json").write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
