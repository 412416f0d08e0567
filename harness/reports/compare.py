"""Compare: several runs side by side on the problems that all of them have, paired by problem."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import QprobeError
from harness.reports.report import jsonable, report
from harness.runs.store import Store
from harness.stats import Difference, Point, differences, points
from harness.stats.estimators import Floats

SCHEMA = "qprobe-compare/1"


@dataclass(frozen=True, slots=True)
class Side:
    """What a comparison needs of a run."""

    name: str
    benchmark: str
    source: str
    rows: tuple[str, ...]  # pass@1, the objectives and the oracle: what is compared unless asked otherwise
    values: dict[str, dict[str, float]]  # row of the main table -> problem -> expected reward
    tests: dict[str, str]  # problem -> its tests


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the main table in one run, over the common problems."""

    row: str
    run: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RunDifference:
    """One row in one run less the same row in the first, paired by problem."""

    row: str
    run: str
    base: str
    value: float
    low: float
    high: float
    p: float  # that it is zero
    p_holm: float  # corrected for the number of differences


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several runs on their common problems."""

    runs: tuple[str, ...]
    sources: tuple[str, ...]
    benchmark: str
    problems: int  # that all runs have, with the same tests
    left_out: int  # that some run lacks, or has with other tests
    cells: tuple[Cell, ...]
    differences: tuple[RunDifference, ...]

    def as_json(self) -> dict[str, Any]:
        """The comparison as JSON's own types; numbers that do not exist are null."""
        return {"schema": SCHEMA, **jsonable(asdict(self))}


def compare(
    runs: Sequence[Path], rows: Sequence[str] | None = None, advance: Callable[[], None] = lambda: None
) -> Comparison:
    """Compare runs by rows of their main tables: by default pass@1, the objectives, and pass@k.

    `advance` is called for every run that has been read.

    Raises QprobeError for fewer than two runs, one given twice, a run without probes, a row that no two runs have, or
    runs without a common problem.
    """
    if len(runs) < 2:
        raise QprobeError("Give two runs or more to compare; one run's objectives are compared by qprobe report.")
    if twice := [run for run, count in Counter(run.resolve() for run in runs).items() if count > 1]:
        raise QprobeError(f"{twice[0]} is given twice: give runs that differ.")
    sides = []
    for run, name in zip(runs, _names(runs), strict=True):
        sides.append(_side(run, name))
        advance()
    ids, left_out = _common(sides)
    names = _rows(sides, rows)
    values = {(side.name, row): _values(side, row, ids) for side in sides for row in names if row in side.values}
    return Comparison(
        runs=tuple(side.name for side in sides),
        sources=tuple(side.source for side in sides),
        benchmark=", ".join(dict.fromkeys(side.benchmark for side in sides)),
        problems=len(ids),
        left_out=left_out,
        cells=tuple(_cells(values)),
        differences=tuple(_differences(values, sides[0].name, names)),
    )


def _names(runs: Sequence[Path]) -> list[str]:
    """The folders' names; their whole paths where those are not distinct."""
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]


def _side(run: Path, name: str) -> Side:
    with Store(run) as store:
        made = report(store)
        tests = {problem.id: problem.tests for problem in store.problems()}
    by_id = made.per_problem.id
    values = {row: dict(zip(by_id, each, strict=True)) for row, each in made.per_problem.value.items()}
    rows = ("pass@1", *made.chosen, made.rows[-1].name)
    return Side(name, made.benchmark, made.source, rows, values, {each: tests[each] for each in by_id})


def _common(sides: Sequence[Side]) -> tuple[list[str], int]:
    """The problems that all runs have with the same tests, and how many others there are."""
    first, *others = sides
    ids = [each for each, tests in first.tests.items() if all(side.tests.get(each) == tests for side in others)]
    every = {each for side in sides for each in side.tests}
    if not ids:
        asked = "; ".join(f"{side.name} has {len(side.tests)} of {side.benchmark}" for side in sides)
        raise QprobeError(f"The runs have no problem in common ({asked}): compare runs of one benchmark.")
    return ids, len(every) - len(ids)


def _rows(sides: Sequence[Side], asked: Sequence[str] | None) -> list[str]:
    if asked is None:
        oracles = [side.rows[-1] for side in sides]
        return list(dict.fromkeys([*(row for side in sides for row in side.rows[:-1]), *oracles]))
    for row in asked:
        if sum(row in side.values for side in sides) < 2:
            known = ", ".join(row for row in sides[0].values if sum(row in side.values for side in sides) > 1)
            raise QprobeError(f"No two runs have {row!r} to compare; they have {known}.")
    return list(asked)


def _values(side: Side, row: str, ids: Sequence[str]) -> Floats:
    return np.array([side.values[row][each] for each in ids], dtype=np.float64)


def _cells(values: dict[tuple[str, str], Floats]) -> list[Cell]:
    found: list[Point] = points(range(len(values)), np.stack(list(values.values())))
    return [Cell(row, run, point.value, point.low, point.high) for (run, row), point in zip(values, found, strict=True)]


def _differences(values: dict[tuple[str, str], Floats], base: str, rows: Sequence[str]) -> list[RunDifference]:
    """Each later run less the first, row by row; corrected for their number, all rows together."""
    named = {f"{run}\n{row}": each for (run, row), each in values.items()}
    wanted = [(row, run) for row in rows for run, of in values if of == row and run != base and (base, row) in values]
    found: list[Difference] = differences(named, [(f"{run}\n{row}", f"{base}\n{row}") for row, run in wanted])
    return [
        RunDifference(row, run, base, each.value, each.low, each.high, each.p, each.p_holm)
        for (row, run), each in zip(wanted, found, strict=True)
    ]
