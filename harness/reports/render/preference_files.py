"""A preference report as files in its run's folder."""

from pathlib import Path

from harness.reports.origin import origin
from harness.reports.preferences import PreferenceReport
from harness.reports.render.files import drawn, write_forms
from harness.reports.render.html.preferences import preference_page
from harness.reports.render.preferences import csv_rows, json_text, latex_text, markdown, terminal

FILES = {"json": json_text, "md": markdown, "tex": latex_text, "csv": csv_rows}


def write_preferences(report: PreferenceReport, run: Path) -> None:
    """Write a report into its run's folder in all formats, as a picture and as a page."""
    written = {ending: write(report) for ending, write in FILES.items()}
    picture = drawn(terminal(report), report.run, width=100)
    write_forms(run, {**written, "svg": picture, "html": preference_page(report, origin(run))})
