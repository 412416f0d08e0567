"""Tables as text: for the terminal, as Markdown, LaTeX and CSV. A table is a header and rows of cells, all strings."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from harness.reports.json_values import jsonable

Cells = tuple[str, ...]  # the lines of a cell are joined with commas, except in a terminal
TableCells = tuple[Cells, list[Cells]]

_LATEX = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def terminal_table(header: Cells, rows: Sequence[Cells], is_bold: Callable[[Cells], bool] = lambda _: False) -> Table:
    """Render for the terminal: the first column flush left, the others flush right, no wider than necessary."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for number, name in enumerate(header):
        table.add_column(Text(name), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row), style="bold" if is_bold(row) else None)
    return table


def bullets(lines: Sequence[str]) -> Table:
    """Render notes for the terminal, each indented after its hyphen."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for line in lines:
        table.add_row("-", Text(line), style="dim")
    return table


def markdown_table(header: Cells, rows: Sequence[Cells]) -> str:
    """Render as Markdown."""
    rule = (":--", *("--:" for _ in header[1:]))
    escaped = [[_one_line(cell).replace("|", r"\|") for cell in cells] for cells in (header, rule, *rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def latex_table(header: Cells, rows: Sequence[Cells]) -> str:
    """Render as a LaTeX tabular; it needs the package booktabs."""
    lines = [" & ".join(latex(_one_line(cell)) for cell in cells) + r" \\" for cells in (header, *rows)]
    columns = "l" + "r" * (len(header) - 1)
    top, *rest = lines
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", top, r"\midrule", *rest, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(body)


def latex(text: str) -> str:
    """Escape text for LaTeX; a hyphen before a number becomes a minus sign."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(^|[\s\[])-(?=[.\d])", r"\1$-$", escaped)


def _one_line(cell: str) -> str:
    return cell.replace("\n", ", ")


def csv_text(records: Sequence[Mapping[str, object]]) -> str:
    """Render records as CSV under the names of the first one; numbers in full, empty if they do not exist."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(jsonable(record) for record in records)  # the writer leaves None empty
    return file.getvalue()
