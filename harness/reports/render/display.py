"""A report that Python's `print` and notebooks show as its main table."""

import io
import shutil
import sys
from dataclasses import fields
from typing import Self

from rich.console import Console

from harness.reports.render.formats import terminal
from harness.reports.report import Report

NARROWEST = 80
"""Columns that the tables need."""


class PrintableReport(Report):
    """A report whose text is its main table."""

    __slots__ = ()

    @classmethod
    def of(cls, report: Report) -> Self:
        """Return the same report, printable."""
        return cls(**{entry.name: getattr(report, entry.name) for entry in fields(report)})

    def __str__(self) -> str:
        """Return the main table; see `text`."""
        return self.text()

    def text(self, *, full: bool = False) -> str:
        """Return the main table, or all tables, as wide as the terminal, in colour where standard output is one."""
        width = max(NARROWEST, shutil.get_terminal_size().columns)
        console = Console(file=io.StringIO(), width=width, force_terminal=sys.stdout.isatty())
        with console.capture() as captured:
            console.print(terminal(self, full=full))
        return captured.get().rstrip("\n")

    def _repr_html_(self) -> str:
        """Return the main table as a preformatted block with inline styles, for notebooks."""
        console = Console(file=io.StringIO(), width=NARROWEST, record=True, force_terminal=True)
        console.print(terminal(self))
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
