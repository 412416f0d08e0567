"""A report as text and as HTML, for Python's `print` and for notebooks."""

import io
import shutil
import sys

from rich.console import Console

from harness.reports.render.formats import terminal
from harness.reports.report import Report

NARROWEST = 80
"""Columns that the tables need."""


def as_text(report: Report) -> str:
    """Return the tables as wide as the terminal, in colour where standard output is one."""
    width = max(NARROWEST, shutil.get_terminal_size().columns)
    console = Console(file=io.StringIO(), width=width, force_terminal=sys.stdout.isatty())
    with console.capture() as captured:
        console.print(terminal(report))
    return captured.get().rstrip("\n")


def as_html(report: Report) -> str:
    """Return the tables as a preformatted block with inline styles."""
    console = Console(file=io.StringIO(), width=NARROWEST, record=True, force_terminal=True)
    console.print(terminal(report))
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
