"""Compare: several runs side by side on the problems that all of them have, paired by problem."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import QprobeError
from harness.reports.inputs import ReportInputs, read_inputs
from harness.reports.json_values import jsonable
from harness.reports.messages import choose_from
from harness.reports.published import is_published, read_published
from harness.reports.report import PerProblem, Report
from harness.reports.sections import selection
from harness.reports.transfer import TransferReport
from harness.runs.scores import load_scores
from harness.runs.store import Store
from harness.stats import TableRow, differences, points
from harness.stats.estimators import Floats
from harness.stats.intervals import finite_mean, percentile_interval, resample, resampled_means, widened
from harness.stats.table import RESAMPLES

SCHEMA = "qprobe-compare/2"


@dataclass(frozen=True, slots=True)
class Side:
    """The part of one run that takes part in a comparison."""

    name: str
    benchmark: str
    source: str
    rows: tuple[str, ...]  # the default rows to compare: pass@1, the objectives and the oracle
    values: dict[str, dict[str, float]]  # row of the main table -> problem -> expected reward
    tests: dict[str, str | None]  # problem -> its tests; None where a report alone is there
    reported: dict[str, TableRow]  # row of the main table -> its figures over all of the run's problems


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
    problems: int  # in all runs, with the same tests; 0 where the runs are not paired by problem
    problems_left_out: int  # missing from some run, or there with other tests
    cells: tuple[Cell, ...]
    differences: tuple[RunDifference, ...]
    without_values: tuple[str, ...] = ()  # runs whose report has no values per problem, so that nothing is paired

    def as_json(self) -> dict[str, Any]:
        """Return the comparison in JSON's own types; numbers that do not exist are null."""
        return {"schema": SCHEMA, **jsonable(asdict(self))}


def compare(
    runs: Sequence[Path], rows: Sequence[str] | None = None, advance: Callable[[], None] = lambda: None
) -> Comparison:
    """Compare runs by rows of their main tables: by default pass@1, the objectives, and pass@k.

    Calls `advance` after reading each run. A run without probes takes part with its pass@1 and baselines. A published
    report takes part with its own figures, and then no run is paired with another by problem. Raises QprobeError for
    fewer than two runs, a run given twice, probes that are out of date, a row that fewer than two runs have, or runs
    without a common problem.
    """
    if len(runs) < 2:
        raise QprobeError("Give at least two runs to compare; qprobe report compares the objectives of one run.")
    if twice := [run for run, count in Counter(run.resolve() for run in runs).items() if count > 1]:
        raise QprobeError(f"{twice[0]} is given twice. Give different runs.")
    sides = []
    for run, name in zip(runs, _names(runs), strict=True):
        sides.append(_side(run, name))
        advance()
    return compare_sides(sides, rows)


def compare_sides(sides: Sequence[Side], rows: Sequence[str] | None = None) -> Comparison:
    """Compare runs that have been read; the first is the base. Raises QprobeError as `compare` does."""
    rows = _default_rows(sides) if rows is None else _checked_rows(sides, rows)
    if without := tuple(side.name for side in sides if not side.values):
        return _unpaired(sides, rows, without)
    ids, left_out = _common(sides)
    values = {(side.name, row): _values(side, row, ids) for side in sides for row in rows if row in side.values}
    return Comparison(
        runs=tuple(side.name for side in sides),
        sources=tuple(side.source for side in sides),
        benchmark=", ".join(dict.fromkeys(side.benchmark for side in sides)),
        problems=len(ids),
        problems_left_out=left_out,
        cells=tuple(_cells(values, factors := _factors(sides, rows))),
        differences=tuple(_differences(values, factors, sides[0].name, rows)),
    )


def _unpaired(sides: Sequence[Side], rows: Sequence[str], without: tuple[str, ...]) -> Comparison:
    """Put the figures of reports side by side, each over all problems of its run, without differences."""
    benchmarks = list(dict.fromkeys(side.benchmark for side in sides))
    if len(benchmarks) > 1:
        raise QprobeError(f"The reports are of {' and '.join(benchmarks)}. Compare runs of one benchmark.")
    figures = [(side.name, side.reported[row]) for row in rows for side in sides if row in side.reported]
    return Comparison(
        runs=tuple(side.name for side in sides),
        sources=tuple(side.source for side in sides),
        benchmark=benchmarks[0],
        problems=0,
        problems_left_out=0,
        cells=tuple(Cell(row.name, run, row.value, row.low, row.high) for run, row in figures),
        differences=(),
        without_values=without,
    )


def _side_of_report(name: str, report: Report) -> Side:
    """Return the side of a report without its run: its tests are not known."""
    rows = _default_rows_of(report.hyperparameters, report.rows)
    reported = {row.name: row for row in report.rows}
    per_problem: PerProblem | None = report.per_problem
    if per_problem is None:
        return Side(name, report.benchmark, report.source, rows, {}, {}, reported)
    values = {row: dict(zip(per_problem.id, column, strict=True)) for row, column in per_problem.value.items()}
    return Side(name, report.benchmark, report.source, rows, values, dict.fromkeys(per_problem.id), reported)


def _side_of_run(name: str, inputs: ReportInputs) -> Side:
    """Return the side of a run: of its report, the main table alone, since the other parts take long."""
    table, ids = selection(inputs), inputs.scores.problem_ids
    values = {row: dict(zip(ids, values_P.tolist(), strict=True)) for row, values_P in table.values.items()}
    tests = {item.problem.id: item.problem.tests for item in inputs.problems}
    return Side(
        name,
        inputs.benchmark,
        inputs.source,
        _default_rows_of(inputs.objectives, table.rows),
        values,
        {problem_id: tests.get(problem_id) for problem_id in ids},
        {row.name: row for row in table.rows},
    )


def _default_rows_of(objectives: Iterable[str], rows: Sequence[TableRow]) -> tuple[str, ...]:
    return ("pass@1", *objectives, rows[-1].name)


def _names(runs: Sequence[Path]) -> list[str]:
    """Return the folders' names; their whole paths if those are not distinct."""
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]


def _side(run: Path, name: str) -> Side:
    if is_published(run):
        published = read_published(run)
        if not isinstance(published, Report):
            kind = "transfer" if isinstance(published, TransferReport) else "run of pairs, without the run"
            raise QprobeError(f"{run} holds the report of a {kind}, which qprobe report prints; compare takes runs.")
        return _side_of_report(name, published)
    with Store(run, read_only=True) as store:
        inputs = read_inputs(store, among_all=True)
        if inputs.has_stale_probes:
            load_scores(store)  # raises: the objectives would be missing without a word
    return _side_of_run(name, inputs)


def _common(sides: Sequence[Side]) -> tuple[list[str], int]:
    """Return the problems that all runs have with the same tests, and the number of the others."""
    first, *others = sides
    ids = [name for name in first.tests if all(name in side.tests for side in others) and _same_tests(sides, name)]
    if not ids:
        held = "; ".join(f"{side.name} has {len(side.tests)} of {side.benchmark}" for side in sides)
        raise QprobeError(f"The runs have no problem in common ({held}). Compare runs of one benchmark.")
    return ids, len({name for side in sides for name in side.tests}) - len(ids)


def _same_tests(sides: Sequence[Side], problem_id: str) -> bool:
    return len({tests for side in sides if (tests := side.tests[problem_id]) is not None}) <= 1


def _default_rows(sides: Sequence[Side]) -> list[str]:
    oracles = [side.rows[-1] for side in sides]
    return list(dict.fromkeys([*(row for side in sides for row in side.rows[:-1]), *oracles]))


def _checked_rows(sides: Sequence[Side], rows: Sequence[str]) -> list[str]:
    counts = Counter(row for side in sides for row in side.reported)
    common = [row for row, count in counts.items() if count > 1]
    for row in rows:
        if row not in common:
            raise QprobeError(f"No two runs have the row {row!r}. {choose_from(row, common)}")
    return list(rows)


def _values(side: Side, row: str, ids: Sequence[str]) -> Floats:
    return np.array([side.values[row][name] for name in ids], dtype=np.float64)


Factors = dict[tuple[str, str], float]
"""By run and row: how many times wider the report's interval is than over problems alone, for the folds of probes."""


def _factors(sides: Sequence[Side], rows: Sequence[str]) -> Factors:
    factors = {}
    for side in sides:
        for row in (row for row in rows if row in side.values and row in side.reported):
            values_P = np.array(list(side.values[row].values()), dtype=np.float64)
            (plain,) = points([0], values_P[None], resamples=RESAMPLES)
            width = side.reported[row].high - side.reported[row].low
            factors[side.name, row] = max(1.0, width / (plain.high - plain.low)) if plain.high > plain.low else 1.0
    return factors


def _cells(values: dict[tuple[str, str], Floats], factors: Factors) -> list[Cell]:
    """Return the means with the intervals that a report of the same problems has: as many resamples, one seed."""
    values_RP = np.stack(list(values.values()))
    draws_RB = resampled_means(values_RP, resample(values_RP.shape[1], RESAMPLES, 0))
    low_R, high_R = percentile_interval(widened(draws_RB, np.array([factors.get(key, 1.0) for key in values])))
    columns = zip(values, finite_mean(values_RP), low_R, high_R, strict=True)
    return [Cell(row, run, float(value), float(low), float(high)) for (run, row), value, low, high in columns]


def _differences(
    values: dict[tuple[str, str], Floats], factors: Factors, base: str, rows: Sequence[str]
) -> list[RunDifference]:
    """Return each later run less the first, row by row; corrected for their number, all rows together."""
    named = {f"{run}\n{row}": values_P for (run, row), values_P in values.items()}
    cells = [(row, run) for row in rows for run, of in values if of == row and run != base and (base, row) in values]
    pairs = [(f"{run}\n{row}", f"{base}\n{row}") for row, run in cells]
    results = differences(named, pairs, factors={f"{run}\n{row}": factor for (run, row), factor in factors.items()})
    return [
        RunDifference(row, run, base, result.value, result.low, result.high, result.p, result.p_holm)
        for (row, run), result in zip(cells, results, strict=True)
    ]
