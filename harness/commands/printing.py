"""Showing a report: on the terminal, and as files in the run's folder."""

import json
from pathlib import Path

from harness.files import whole_file
from harness.report_tables import markdown, terminal
from harness.reporting import Report
from harness.terminal import Terminal


def show_report(report: Report, run: Path, shown: Terminal, *, as_json: bool) -> None:
    """Print the report and write `report.json` and `report.md`."""
    text = json.dumps(report.as_json(), indent=1)
    for name, content in (("report.json", text + "\n"), ("report.md", markdown(report))):
        with whole_file(run / name) as draft:
            draft.write_text(content, encoding="utf-8")
    if as_json:
        print(text)
    else:
        shown.out.print(terminal(report))
