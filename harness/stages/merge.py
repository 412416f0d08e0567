"""Merge: one run of the shards that several machines made, as if one machine had made it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import Problem
from harness.errors import QprobeError
from harness.progress import SILENT, Progress
from harness.runs.provenance import note_stage
from harness.runs.store import Store
from harness.runs.vector_store import open_shard
from harness.stages.problems import PART
from harness.stages.shards import Part

TABLES = ("completions", "tokens", "certainties", "verdicts", "plans")
ROWS_AT_ONCE = 4096
"""Vectors that are copied at once: memory stays flat."""


def merge(store: Store, parts: Sequence[Store], progress: Progress = SILENT) -> int:
    """Add all that the parts hold to a run, and return the number of its samples.

    Raises QprobeError where a part is missing or there twice, or was made with other settings.
    """
    _check_parts(store, parts)
    _settle(store, parts)
    store.add_problems(_in_order(parts))
    before = store.counts()["completions"]
    with progress.task("Merging", len(parts)) as advance:
        for part in parts:
            _copy(store, part)
            advance(1)
    note_stage(store, "merge", {"shards": [part.name for part in parts]}, seconds=0.0, before=before)
    return store.count_samples()


def _check_parts(store: Store, parts: Sequence[Store]) -> None:
    """Raise QprobeError unless the parts are all of one division, each once."""
    found: dict[int, Path] = {}
    for part in parts:
        about = _part(part)
        if about.of != _part(parts[0]).of:
            raise QprobeError(f"{part.folder} is shard {about}, and {parts[0].folder} is {_part(parts[0])}.")
        if about.part in found:
            raise QprobeError(f"{part.folder} and {found[about.part]} are both shard {about}: name one of them.")
        found[about.part] = part.folder
    if missing := [f"{number}" for number in range(1, _part(parts[0]).of + 1) if number not in found]:
        raise QprobeError(
            f"Without shard {', '.join(missing)} of {_part(parts[0]).of}, {store.folder} would not be whole: name all."
        )
    for part in parts:
        _check_whole(part)


def _check_whole(part: Store) -> None:
    """Raise QprobeError where samples of a part are missing, or have no verdict while others have."""
    about, problems = part.about, len(part.problems())
    wanted, present = problems * (about.k or 0), part.count_samples()
    if present < wanted:
        raise QprobeError(f"{part.folder} holds {present:,} of {wanted:,} samples: run its command again, then merge.")
    if about.grading and (graded := part.count_verdicts(about.grading)) < wanted:
        raise QprobeError(f"{part.folder} has verdicts on {graded:,} of {wanted:,} samples: grade it, then merge.")


def _part(store: Store) -> Part:
    """Return which part a run is. Raises QprobeError for a run that is none."""
    stored = store.settings().get(PART)
    if stored is None:
        raise QprobeError(f"{store.folder} is no shard: make shards with qprobe generate or run --shard 1/4.")
    return Part(stored["part"], stored["of"], tuple(stored["places"]))


def _settle(store: Store, parts: Sequence[Store]) -> None:
    """Write down the parts' settings. Raises QprobeError where they differ."""
    for part in parts:
        for name, value in part.settings().items():
            if name != PART and name != "schema":
                _settle_one(store, part, name, value)


def _settle_one(store: Store, part: Store, name: str, value: object) -> None:
    try:
        store.settle(name, value)
    except QprobeError as error:
        raise QprobeError(f"{part.folder} does not fit the other shards. {error}") from error


def _in_order(parts: Sequence[Store]) -> list[Problem]:
    """Return all problems in the order that they have without shards, on which sums depend."""
    placed: dict[int, Problem] = {}
    for part in parts:
        placed |= zip(_part(part).places, part.problems(), strict=True)
    return [placed[place] for place in sorted(placed)]


def _copy(store: Store, part: Store) -> None:
    """Copy a part's rows and vectors, all or none."""
    copied = {key: _copy_vectors(store, part, key) for key in part.about.shards}
    with store.together():
        for table in TABLES:
            store.copy_rows(part, table)
        for key, first in copied.items():
            store.add_vector_rows({key: {sample: first + row for sample, row in part.vector_rows(key).items()}})


def _copy_vectors(store: Store, part: Store, key: str) -> int:
    """Append a part's vectors to the run's file, and return the row of the first; rows beyond the last are free."""
    first, last = store.next_vector_row(key), part.next_vector_row(key)
    source, target = open_shard(part, key).file, open_shard(store, key).file
    vectors = source.read(0, last - 1)
    for begin in range(0, last, ROWS_AT_ONCE):
        target.write(first + begin, np.asarray(vectors[begin : min(begin + ROWS_AT_ONCE, last)]))
    return first
