"""The table: ours beside the paper's, with the difference and its interval."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.choices import unknown
from harness.errors import QprobeError
from harness.progress import SILENT, Progress
from harness.stages.paper.options import PaperOptions
from harness.stages.paper.rows import PaperRow
from harness.stages.paper.runs import Figure

SCHEMA = "qprobe-paper/1"


class MadeRuns(Protocol):
    """The runs that the rows of a table are made from."""

    test_names: tuple[str, ...]
    progress: Progress

    def __init__(self, folder: Path, options: PaperOptions, progress: Progress = SILENT) -> None: ...

    def check(self) -> None:
        """Raise an error for what every row would fail at."""
        ...

    @property
    def facts(self) -> list[str]:
        """The lines that a reader needs before those of the rows."""
        ...


@dataclass(frozen=True, slots=True)
class PaperCell:
    """One row on one test set; `reason` says why a figure is missing."""

    row: PaperRow
    test: str
    ours: Figure | None
    reason: str = ""

    @property
    def paper(self) -> float | None:
        """The paper's figure; None where it gives none."""
        return self.row.paper.get(self.test)

    @property
    def difference(self) -> Figure | None:
        """Ours minus the paper's, which is taken as exact: the interval is of our problems and samples alone."""
        if self.ours is None or self.paper is None:
            return None
        return Figure(*(part - self.paper for part in (self.ours.value, self.ours.low, self.ours.high)))

    def as_json(self) -> dict[str, Any]:
        """Return the cell in JSON's own types."""
        row, ours, difference = self.row, self.ours, self.difference
        return {
            "row": row.name,
            "text": row.text,
            "test": self.test,
            "ours": asdict(ours) if ours else None,
            "reason": self.reason,
            "paper": self.paper,
            "difference": asdict(difference) if difference else None,
            "public_code": row.code,
            "chosen": row.chosen,
        }


def chosen_rows(names: Sequence[str], rows: Sequence[PaperRow]) -> list[PaperRow]:
    """Return the rows of these names in the table's order, by default all. Raises QprobeError for an unknown one."""
    known = {row.name: row for row in rows}
    for name in names:
        if name not in known:
            raise QprobeError(unknown("row", name, known))
    return [row for row in rows if not names or row.name in names]


def make_cells(runs: MadeRuns, rows: Sequence[PaperRow]) -> list[PaperCell]:
    """Make every row on every test set; one that cannot be made has the reason in its place."""
    return [_cell(runs, row, test) for row in rows for test in runs.test_names]


def _cell(runs: MadeRuns, row: PaperRow, test: str) -> PaperCell:
    try:
        return PaperCell(row, test, row.make(runs, test))
    except QprobeError as error:
        reason = str(error)
    runs.progress.message(f"{row.name}, {test}: {reason}")
    return PaperCell(row, test, None, reason)


HEADER = ("row", "ours", "95 %", "paper", "difference", "95 % of it", "code")
LONGEST = 10
"""Characters of a reason that fit into a cell; a longer one is a note."""


def cells_of(cells: Sequence[PaperCell], test: str) -> list[tuple[str, ...]]:
    """Return the lines of one test's table."""
    return [_line(cell) for cell in cells if cell.test == test]


def _line(cell: PaperCell) -> tuple[str, ...]:
    ours, difference = cell.ours, cell.difference
    return (
        cell.row.name,
        _number(ours.value) if ours else _short(cell.reason),
        f"[{_number(ours.low)}, {_number(ours.high)}]" if ours else "",
        "" if cell.paper is None else _number(cell.paper),
        f"{difference.value:+.3f}" if difference else "",
        f"[{difference.low:+.3f}, {difference.high:+.3f}]" if difference else "",
        cell.row.code,
    )


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if 0 <= value < 1 else f"{value:.3f}"


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST else "see below"


def notes(cells: Sequence[PaperCell], runs: MadeRuns) -> list[str]:
    """Return the lines below the tables: the models, and what had to be chosen in each row."""
    rows = {cell.row.name: cell.row for cell in cells}
    described = [f"{row.name}: {row.text}{f' ({row.chosen})' if row.chosen else ''}." for row in rows.values()]
    missing = [
        f"{cell.row.name} on {cell.test}: {cell.reason.rstrip('.')}." for cell in cells if len(cell.reason) > LONGEST
    ]
    return [*runs.facts, *described, *missing]
