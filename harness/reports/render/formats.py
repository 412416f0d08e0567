"""A report as text: for the terminal, as Markdown, LaTeX, CSV and JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.render.tables import heading, is_gain, notes, tables
from harness.reports.render.text import csv_text, latex, latex_table, markdown_table, terminal_table
from harness.reports.report import Report, jsonable


def terminal(report: Report, *, whole: bool = True) -> RenderableType:
    """For a terminal, 80 columns wide or more; the main table and what must be said with it where not the `whole`."""
    shown, said = tables(report), notes(report)
    if not whole:
        shown, said = shown[:1], said[:3]
    return Group(
        Text(heading(report), style="bold"),
        *(terminal_table(header, rows, is_gain) for header, rows in shown),
        *(Text(line, style="dim") for line in said),
    )


def markdown(report: Report) -> str:
    """As Markdown."""
    shown = [markdown_table(header, rows) for header, rows in tables(report)]
    return "\n\n".join([f"## {heading(report)}", *shown, "\n".join(f"- {line}" for line in notes(report))]) + "\n"


def latex_text(report: Report) -> str:
    """As LaTeX: one tabular a table, under comments that say what it is; they need the package booktabs."""
    shown = [latex_table(header, rows) for header, rows in tables(report)]
    said = "\n".join(latex(line) + r" \par" for line in notes(report))
    return "\n\n".join([f"% {heading(report)}", "% \\usepackage{booktabs}", *shown, said]) + "\n"


def csv_rows(report: Report) -> str:
    """As CSV: the main table, and the same rows where only k samples stand for choice, numbers in full."""
    most = report.samples_per_problem[1]
    among = [(each.k, each.rows) for each in report.at_k] + [(most, report.rows)]
    return csv_text([{"run": report.run, "k": k, **jsonable(asdict(row))} for k, rows in among for row in rows])


def json_text(report: Report) -> str:
    """As JSON; results/README.md says what each field holds."""
    return json.dumps(report.as_json(), indent=1) + "\n"


FORMATS: dict[str, Callable[[Report], str]] = {
    "json": json_text,
    "markdown": markdown,
    "latex": latex_text,
    "csv": csv_rows,
}
"""Name of a format -> what writes it."""
