"""Showing a report: on the terminal, and as files in the run's folder."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path

from harness.commands.preferences import print_preferences
from harness.commands.terminal import Terminal
from harness.reports.browser_data import BrowserData
from harness.reports.compare import Comparison
from harness.reports.kept import keep_report
from harness.reports.preferences import PreferenceReport
from harness.reports.published import read_published, what_is_missing
from harness.reports.render import comparison_tables
from harness.reports.render.files import FILES, write_report
from harness.reports.render.formats import FORMATS
from harness.reports.render.formats import terminal as terminal_text
from harness.reports.render.text import csv_text, latex_table, markdown_table
from harness.reports.render.transfer_files import write_transfer
from harness.reports.render.transfer_tables import transfer_markdown, transfer_tables
from harness.reports.render.warnings import warnings
from harness.reports.report import Report
from harness.reports.transfer import TransferReport
from harness.runs.reading import is_read_only


def show_report(
    report: Report,
    data: BrowserData | None,
    run: Path,
    shown: Terminal,
    form: str,
    *,
    full: bool = False,
    key: str = "",
) -> None:
    """Print the report in one of the forms of `--format`, and write all of them and the page into the run.

    Without the page's `data`, the run's folder holds these files. `key` is kept beside them, for `kept_report`.
    """
    print_report(report, shown, form, full=full)
    if is_read_only(run):
        shown.message(f"{run} cannot be written to, so there is no report.html; --format json prints all figures.")
        return
    if data is not None:
        write_report(report, data, run)
        if key:
            keep_report(run, key)
    if form == "table":
        more = "" if full or not report.has_probes else f" All tables: qprobe report {shlex.quote(str(run))} --full."
        shown.message(f"To look at: {run}/report.html.{more} As files: report.{', .'.join(FILES)}, .svg.")


def show_published(folder: Path, terminal: Terminal, form: str, *, full: bool = False) -> None:
    """Print a report that lies in a folder without its run, and say what is missing there."""
    published = read_published(folder)
    if isinstance(published, Report):
        print_report(published, terminal, form, full=full)
    elif isinstance(published, PreferenceReport):
        print_preferences(published, terminal, form, full=full)
    elif form == "table":
        terminal.out.print(transfer_tables(published))
    else:
        print(json.dumps(published.as_json(), indent=1) if form == "json" else transfer_markdown(published).rstrip())
    terminal.message(what_is_missing(folder))


def print_report(report: Report, terminal: Terminal, form: str, *, full: bool = False) -> None:
    """Print a report in one of the forms of `--format`."""
    if form == "table":
        terminal.out.print(terminal_text(report, full=full))
    else:
        print(FORMATS[form](report).rstrip("\n"))
        for line in warnings(report) if form in ("json", "csv") else ():  # which hold numbers alone
            terminal.message(f"WARNING: {line}")


def show_comparison(comparison: Comparison, terminal: Terminal, form: str) -> None:
    """Print a comparison of runs in one of the forms of `--format`."""
    if form == "table":
        terminal.out.print(comparison_tables.terminal(comparison))
    else:
        print(comparison_text(comparison, form))


def comparison_text(comparison: Comparison, form: str) -> str:
    """A comparison as "json", "markdown", "latex" or "csv"; the last has the differences, or the values without any."""
    if form == "json":
        return json.dumps(comparison.as_json(), indent=1)
    if form == "csv":
        return csv_text([asdict(row) for row in comparison.differences or comparison.cells]).rstrip("\n")
    draw = latex_table if form == "latex" else markdown_table
    return "\n\n".join(draw(header, rows) for header, rows in comparison_tables.tables(comparison))


def show_transfer(report: TransferReport, run: Path, terminal: Terminal, *, as_json: bool) -> None:
    """Print what transfer came to, and write it beside its probes as `report.json`, `report.md` and figures."""
    from harness.stages.transfer import FOLDER as TRANSFER

    write_transfer(report, run / TRANSFER)
    if as_json:
        print(json.dumps(report.as_json(), indent=1))
    else:
        terminal.out.print(transfer_tables(report))
        terminal.message(f"The probes and the same as files: {run / TRANSFER}.")
