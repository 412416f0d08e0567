"""A report as text: for the terminal, as Markdown, LaTeX, CSV and JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from harness.reports.render.headline import sentence
from harness.reports.render.notes import main_notes, notes
from harness.reports.render.tables import heading, is_gain, tables
from harness.reports.render.text import bullets, csv_text, latex, latex_table, markdown_table, terminal_table
from harness.reports.render.warnings import warnings
from harness.reports.report import Report


def terminal(report: Report, *, full: bool = False) -> RenderableType:
    """Render the main table for a terminal of at least 80 columns; with `full` all tables, the main one again last.

    Without probes, all tables are few.
    """
    main, *others = (terminal_table(header, rows, is_gain) for header, rows in tables(report))
    alerts = [Text(f"Warning: {line}", style="yellow") for line in warnings(report)]
    opening = [Text(heading(report), style="bold"), *alerts, *map(Text, filter(None, [sentence(report)]))]
    if full:
        return Group(*opening, main, *others, bullets(notes(report)), main)
    if not report.has_probes:
        return Group(*opening, main, *others, bullets(main_notes(report)))
    return Group(*opening, main, bullets(main_notes(report)))


def markdown(report: Report) -> str:
    """Render as Markdown."""
    alerts = [f"> Warning: {line}" for line in warnings(report)]
    opening = [f"## {heading(report)}", *alerts, *filter(None, [sentence(report)])]
    parts = [markdown_table(header, rows) for header, rows in tables(report)]
    return "\n\n".join([*opening, *parts, "\n".join(f"- {line}" for line in notes(report))]) + "\n"


def latex_text(report: Report) -> str:
    """Render as LaTeX, one tabular per table; they need the package booktabs."""
    alerts = [latex(f"Warning: {line}") + r" \par" for line in warnings(report)]
    parts = [latex_table(header, rows) for header, rows in tables(report)]
    lines = "\n".join(latex(line) + r" \par" for line in notes(report))
    opening = [f"% {heading(report)}", "% \\usepackage{booktabs}", *alerts]
    opening += map(latex, filter(None, [sentence(report)]))
    return "\n\n".join([*opening, *parts, lines]) + "\n"


def csv_rows(report: Report) -> str:
    """Render the main table as CSV, among few samples and among all, numbers in full."""
    tables_at_k = [(part.k, part.rows) for part in report.rows_at_k] + [(report.samples_per_problem[1], report.rows)]
    return csv_text([{"run": report.run, "k": k, **asdict(row)} for k, rows in tables_at_k for row in rows])


def json_text(report: Report) -> str:
    """Render as JSON; results/README.md documents each field."""
    return json.dumps(report.as_json(), indent=1, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Report], str]] = {
    "json": json_text,
    "markdown": markdown,
    "latex": latex_text,
    "csv": csv_rows,
}
"""Name of a format -> its renderer."""
