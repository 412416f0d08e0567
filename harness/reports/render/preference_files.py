"""A preference report as files in its run's folder."""

import io
from pathlib import Path

from rich.console import Console

from harness.reports.origin import origin
from harness.reports.preferences import PreferenceReport
from harness.reports.render.html.preferences import preference_page
from harness.reports.render.preferences import csv_rows, json_text, latex_text, markdown, terminal
from harness.runs.atomic import atomic_write

FILES = {"json": json_text, "md": markdown, "tex": latex_text, "csv": csv_rows}


def write_preferences(report: PreferenceReport, run: Path) -> None:
    """Write a report into its run's folder in all formats, as a picture and as a page."""
    written = {ending: write(report) for ending, write in FILES.items()}
    for ending, content in {**written, "svg": _picture(report), "html": preference_page(report, origin(run))}.items():
        with atomic_write(run / f"report.{ending}") as draft:
            draft.write_text(content, encoding="utf-8")


def _picture(report: PreferenceReport) -> str:
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(terminal(report))
    return console.export_svg(title=report.run, unique_id="qprobe")
