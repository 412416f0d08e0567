"""The command that makes the paper's tables again."""

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from harness.commands import options as args
from harness.commands.options import GroupedCommand, with_options
from harness.commands.terminal import Terminal
from harness.stages.paper.options import PaperOptions

if TYPE_CHECKING:
    from harness.stages.paper.table import MadeRuns, PaperCell

reproduce = typer.Typer(name="reproduce", help="Make the tables of a paper again.", no_args_is_help=True)


@reproduce.callback()
def everything() -> None:
    """Papers are commands."""


@reproduce.command(cls=GroupedCommand)
@with_options(PaperOptions)
def paper(
    options: PaperOptions,
    folder: Annotated[Path, typer.Option(help="folder of the runs")] = Path("results/paper"),
    json: args.Json = False,
    quiet: args.Quiet = False,
) -> None:
    """Run the rows of the Q-Probe paper, and print ours beside the paper's. Rerunning resumes."""
    from harness.stages.options import settings_of
    from harness.stages.paper.preference_rows import PREFERENCE_ROWS
    from harness.stages.paper.preference_runs import PreferenceRuns
    from harness.stages.paper.rows import ROWS
    from harness.stages.paper.runs import PaperRuns
    from harness.stages.paper.table import SCHEMA, MadeRuns, chosen_rows, make_cells

    terminal = Terminal(quiet=quiet)
    rows = chosen_rows(options.rows, PREFERENCE_ROWS if options.preferences else ROWS)
    kind: type[MadeRuns] = PreferenceRuns if options.preferences else PaperRuns
    runs = kind(folder, options, terminal)
    runs.check()
    cells = make_cells(runs, rows)
    made = {
        "schema": SCHEMA,
        "model": options.model,
        "settings": settings_of(options),
        "cells": [cell.as_json() for cell in cells],
    }
    name = "preferences" if options.preferences else "paper"
    _write(folder / name, jsonlib.dumps(made, indent=1), _markdown(cells, runs))
    if json:
        print(jsonlib.dumps(made, indent=1))
        return
    _show(cells, runs, terminal)
    terminal.message(f"As files: {folder}/{name}.json and {name}.md.")


def _show(cells: "list[PaperCell]", runs: "MadeRuns", terminal: Terminal) -> None:
    from harness.stages.paper.table import HEADER, cells_of, notes

    for test in runs.test_names:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title=test, title_justify="left")
        for number, name in enumerate(HEADER):
            table.add_column(name, justify="right" if 0 < number < 6 else "left", no_wrap=True)
        for line in cells_of(cells, test):
            table.add_row(*line)
        terminal.out.print(table)
    for note in notes(cells, runs):
        terminal.out.print(note, markup=False, highlight=False)


def _markdown(cells: "list[PaperCell]", runs: "MadeRuns") -> str:
    from harness.reports.render.text import markdown_table
    from harness.stages.paper.table import HEADER, cells_of, notes

    tables = [f"## {test}\n\n{markdown_table(HEADER, cells_of(cells, test))}" for test in runs.test_names]
    return "\n\n".join([*tables, "\n".join(f"- {line}" for line in notes(cells, runs))]) + "\n"


def _write(path: Path, text: str, markdown: str) -> None:
    from harness.runs.atomic import atomic_write

    path.parent.mkdir(parents=True, exist_ok=True)
    for ending, content in ((".json", text + "\n"), (".md", markdown)):
        with atomic_write(path.with_name(path.name + ending)) as draft:
            draft.write_text(content, encoding="utf-8")
