"""Showing a report: on the terminal, and as files in the run's folder."""

import io
import json
from pathlib import Path

from rich.console import Console

from harness.files import whole_file
from harness.pages import page
from harness.pages.browser import Data
from harness.report_tables import heading, markdown, terminal
from harness.reporting import Report
from harness.terminal import Terminal


def show_report(report: Report, data: Data, run: Path, shown: Terminal, *, as_json: bool) -> None:
    """Print the report and write `report.html`, `report.json`, `report.md` and `report.svg`."""
    text = json.dumps(report.as_json(), indent=1)
    written = {"json": text + "\n", "md": markdown(report), "svg": picture(report), "html": page(report, data)}
    for name, content in written.items():
        with whole_file(run / f"report.{name}") as draft:
            draft.write_text(content, encoding="utf-8")
    if as_json:
        print(text)
    else:
        shown.out.print(terminal(report))
        shown.say(f"To look at: {run}/report.html. The same as files: report.json, report.md, report.svg.")


def picture(report: Report) -> str:
    """The terminal's tables as an SVG picture."""
    console = Console(record=True, width=88, file=io.StringIO(), force_terminal=True)
    console.print(terminal(report))
    return console.export_svg(title=heading(report).partition(":")[0], unique_id="qprobe")
