"""The samples of a run as a table: one row per sample, with verdict, cost, fold and every score."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import QprobeError
from harness.runs.scores import Scores
from harness.runs.store import Store

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

COLUMNS: dict[str, type] = {
    "problem": str,
    "index": int,
    "split": str,
    "status": str,
    "reward": float,
    "detail": str,
    "cpu_seconds": float,
    "wall_seconds": float,
    "tokens": int,
    "logprob": float,
    "least_logprob": float,
    "self_certainty": float,
    "length": int,
    "finish_reason": str,
    "text": str,
    "program": str,
}
"""The type of each column besides `fold` and the scores; every value but problem and index may be None."""

FOLD, SCORE = "fold", "score: "


@dataclass(frozen=True)
class SamplesTable:
    """Columns of equal length by name; a value that is not known is None."""

    columns: Mapping[str, list[Any]]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.columns["problem"])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the samples, each a dict."""
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))

    def __repr__(self) -> str:
        """Name the columns and count the samples."""
        return f"SamplesTable({len(self)} samples; {', '.join(self.columns)})"

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a pandas data frame. Raises QprobeError where pandas is not installed."""
        try:
            import pandas
        except ImportError as error:
            raise QprobeError("A pandas data frame needs pandas: pip install pandas") from error
        return pandas.DataFrame(dict(self.columns))

    def to_polars(self) -> "polars.DataFrame":
        """Return a polars data frame. Raises QprobeError where polars is not installed."""
        try:
            import polars
        except ImportError as error:
            raise QprobeError("A polars data frame needs polars: pip install polars") from error
        names = {str: polars.String, int: polars.Int64, float: polars.Float64}
        return polars.DataFrame(dict(self.columns), schema={name: names[kind_of(name)] for name in self.columns})

    def to_arrow(self) -> "pyarrow.Table":
        """Return an Arrow table. Raises QprobeError where pyarrow is not installed."""
        try:
            import pyarrow
        except ImportError as error:
            raise QprobeError("An Arrow table, or a Parquet file, needs pyarrow: pip install pyarrow") from error
        types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
        schema = pyarrow.schema([(name, types[kind_of(name)]) for name in self.columns])
        return pyarrow.table(dict(self.columns), schema=schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table through Arrow's C interface, which polars and others read."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)


def kind_of(column: str) -> type:
    """Return the type of a column's values."""
    return int if column == FOLD else COLUMNS.get(column, float)


def samples_table(store: Store, scores: Scores | None = None) -> SamplesTable:
    """Return the samples of a run; with `scores`, a column `fold` and a column `score: NAME` per objective."""
    about = store.about
    verdicts = store.verdicts(about.shown_grader or "")
    splits = {problem.id: problem.split for problem in store.problems()}
    extra = _score_columns(scores) if scores else {}
    names = [*COLUMNS, *([FOLD, *(f"{SCORE}{name}" for name in scores.objectives)] if scores else [])]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for completion in store.completions():
        outcome = verdicts.get(completion.id)
        row = {
            "problem": completion.problem_id,
            "index": completion.index,
            "split": splits[completion.problem_id],
            "status": outcome and outcome.status.value,
            "reward": outcome and outcome.reward,
            "detail": outcome and outcome.detail,
            "cpu_seconds": outcome and outcome.cpu_seconds,
            "wall_seconds": outcome and outcome.wall_seconds,
            "tokens": completion.tokens,
            "logprob": completion.logprob,
            "least_logprob": completion.least_logprob,
            "self_certainty": completion.self_certainty,
            "length": len(completion.continuation),
            "finish_reason": completion.finish_reason or None,
            "text": completion.text,
            "program": completion.program,
            **extra.get(completion.id, {}),
        }
        for name, values in columns.items():
            values.append(row.get(name))
    return SamplesTable(columns)


def _score_columns(scores: Scores) -> dict[tuple[str, int], dict[str, Any]]:
    """The fold and the scores of every sample, by problem and index."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for p, problem_id in enumerate(scores.problem_ids):
        for n, index in enumerate(scores.indices_PN[p].tolist()):
            if index >= 0:
                values = {f"{SCORE}{name}": scores.scores_OPN[o, p, n] for o, name in enumerate(scores.objectives)}
                known = {name: float(value) for name, value in values.items() if math.isfinite(value)}
                rows[problem_id, index] = {FOLD: int(scores.fold_P[p]), **known}
    return rows
