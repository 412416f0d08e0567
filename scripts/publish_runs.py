"""Publish the reports of runs in `results/reference`, small enough for git: `python -m scripts.publish_runs RUN ...`.

A published report has no values per problem, and its page no problem browser. A run that another was tested with
(`RUN/transfer`) is published as `transfer-RUN` beside it.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.reports.render.files import FILES, picture
from harness.reports.render.html import page
from harness.reports.render.transfer_tables import transfer_markdown
from harness.reports.report import Report
from harness.reports.transfer import TransferReport

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"


def main() -> None:
    """Publish every run named."""
    for run in map(Path, sys.argv[1:]):
        publish(run, REFERENCE / run.name)
        if (run / "transfer" / "report.json").is_file():
            publish_transfer(run / "transfer", REFERENCE / f"transfer-{run.name}")


def publish(run: Path, published: Path) -> None:
    """Publish one run's report."""
    report = Report.from_json(json.loads((run / "report.json").read_text(encoding="utf-8")))
    published.mkdir(exist_ok=True)
    write_forms(published, replace(report, per_problem=None))


def publish_transfer(run: Path, published: Path) -> None:
    """Publish one transfer's report."""
    data = json.loads((run / "report.json").read_text(encoding="utf-8"))
    published.mkdir(exist_ok=True)
    write_json(published, data)
    (published / "report.md").write_text(transfer_markdown(TransferReport.from_json(data)), encoding="utf-8")


def write_forms(folder: Path, report: Report) -> None:
    """Write a report in all its forms."""
    forms = {ending: render(report) for ending, render in FILES.items()}
    for ending, content in {**forms, "svg": picture(report), "html": page(report)}.items():
        (folder / f"report.{ending}").write_text(content, encoding="utf-8")


def write_json(folder: Path, data: Mapping[str, Any]) -> None:
    """Write a report's JSON as `qprobe report` does."""
    (folder / "report.json").write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
