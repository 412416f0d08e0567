"""A transfer's report as files: JSON, Markdown, and its figures."""

import json
from pathlib import Path

from harness.reports.render.transfer_figures import transfer_figures
from harness.reports.render.transfer_tables import transfer_markdown
from harness.reports.transfer import TransferReport
from harness.runs.atomic import atomic_write


def write_transfer(report: TransferReport, folder: Path) -> None:
    """Write a report into a folder; figures of an earlier transfer are removed. Raises OSError where it cannot."""
    figures = {f"{name}.svg": figure for name, figure in transfer_figures(report).items()}
    text = json.dumps(report.as_json(), indent=1, allow_nan=False) + "\n"
    for name, content in {"report.json": text, "report.md": transfer_markdown(report), **figures}.items():
        with atomic_write(folder / name) as draft:
            draft.write_text(content, encoding="utf-8")
    for path in folder.glob("*.svg"):
        if path.name not in figures:
            path.unlink()
