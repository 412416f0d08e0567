"""Tables as text: for the terminal, as Markdown, LaTeX and CSV. A table is a header and rows of cells, all strings."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

Cells = tuple[str, ...]  # a cell of several lines has them all in a terminal, and commas between them elsewhere
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
    """For the terminal: the first column to the left and the others to the right, as wide as need be and no wider."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for number, name in enumerate(header):
        table.add_column(Text(name), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row), style="bold" if is_bold(row) else None)
    return table


def markdown_table(header: Cells, rows: Sequence[Cells]) -> str:
    """As Markdown."""
    rule = (":--", *("--:" for _ in header[1:]))
    escaped = [[_one_line(cell).replace("|", r"\|") for cell in cells] for cells in (header, rule, *rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def latex_table(header: Cells, rows: Sequence[Cells]) -> str:
    """As a LaTeX tabular; it needs the package booktabs."""
    lines = [" & ".join(latex(_one_line(cell)) for cell in cells) + r" \\" for cells in (header, *rows)]
    columns = "l" + "r" * (len(header) - 1)
    top, *rest = lines
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", top, r"\midrule", *rest, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(body)


def latex(text: str) -> str:
    """Text as LaTeX shows it; a minus before a number becomes a real one."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(^|[\s\[])-(?=[.\d])", r"\1$-$", escaped)


def _one_line(cell: str) -> str:
    return cell.replace("\n", ", ")


def csv_text(records: Sequence[Mapping[str, object]]) -> str:
    """As CSV, a record a line, under the names of the first one; numbers in full."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in record.items()} for record in records)
    return file.getvalue()
