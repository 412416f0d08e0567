"""A report as files in its run's folder: every format, a picture of the main table, and the page."""

import io
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console, RenderableType

from harness.reports.browser_data import BrowserData
from harness.reports.origin import origin
from harness.reports.render.formats import csv_rows, json_text, latex_text, markdown, terminal
from harness.reports.render.html import page
from harness.reports.render.tables import heading
from harness.reports.report import Report
from harness.runs.atomic import atomic_write

FILES = {"json": json_text, "md": markdown, "tex": latex_text, "csv": csv_rows}


def write_report(report: Report, data: BrowserData, run: Path) -> None:
    """Write a report into its run's folder as files: in all formats, as a picture and as a page."""
    written = {ending: write(report) for ending, write in FILES.items()}
    write_forms(run, {**written, "svg": picture(report), "html": page(report, data, origin(run))})


def write_forms(folder: Path, forms: Mapping[str, str]) -> None:
    """Write the forms of a report, by their endings, each as a whole."""
    for ending, content in forms.items():
        with atomic_write(folder / f"report.{ending}") as draft:
            draft.write_text(content, encoding="utf-8")


def picture(report: Report) -> str:
    """The terminal's main table as an SVG picture."""
    return drawn(terminal(report), heading(report).partition(":")[0], width=88)


def drawn(shown: RenderableType, title: str, width: int) -> str:
    """Return what the terminal shows as an SVG picture."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(shown)
    return console.export_svg(title=title, unique_id="qprobe")
