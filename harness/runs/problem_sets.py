"""Sets of problems by name: those of a run, or of one split of it, with their vectors and rewards."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import Problem
from harness.errors import ProbeError, QprobeError
from harness.probes import Samples
from harness.runs.features import feature_values
from harness.runs.samples import load_samples
from harness.runs.settings import Embedding
from harness.runs.store import Store

DATABASE = "run.sqlite"


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """The problems of a run, or of one of its splits."""

    name: str  # as it was asked for
    folder: Path  # of the run
    benchmark: str
    samples: Samples
    problems: Mapping[str, Problem]  # by id
    embedding: Embedding
    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # [P, N] of the samples, by feature

    def without(self, problem_ids: Sequence[str]) -> "ProblemSet":
        """The same set without some problems."""
        left = [place for place, name in enumerate(self.samples.problem_ids) if name not in set(problem_ids)]
        values = {name: values_PN[left] for name, values_PN in self.values.items()}
        return replace(self, samples=self.samples.take(left), values=values)


def load_sets(names: Sequence[str], runs: Path = Path("results")) -> list[ProblemSet]:
    """Every set by its name; see `load_set`."""
    return [load_set(name, runs) for name in dict.fromkeys(names)]


def join_sets(sets: Sequence[ProblemSet]) -> ProblemSet:
    """Several sets as one, in the first one's run. Raises ProbeError where two share a problem or differ in vectors."""
    first, *others = sets
    for other in others:
        refuse_other_vectors(first, other)
    samples = Samples.together([part.samples for part in sets])
    spare = [(0, samples.mask_PN.shape[1] - part.samples.mask_PN.shape[1]) for part in sets]
    return replace(
        first,
        name=",".join(part.name for part in sets),
        samples=samples,
        values={
            name: np.concatenate(
                [np.pad(part.values[name], ((0, 0), width)) for part, width in zip(sets, spare, strict=True)]
            )
            for name in first.values
            if all(name in part.values for part in sets)
        },
        problems={name: problem for part in sets for name, problem in part.problems.items()},
    )


def load_set(name: str, runs: Path = Path("results")) -> ProblemSet:
    """The set called RUN, RUN:SPLIT, BENCHMARK or BENCHMARK:SPLIT.

    RUN is a run's folder, or its name in `runs`; BENCHMARK stands for the one run in `runs` that is of it. Raises
    QprobeError for no such run, several of them, no such split, or a missing stage.
    """
    folder, split = _find(name, runs)
    with Store(folder, read_only=True) as store:
        problems = [problem for problem in store.problems() if split is None or problem.split == split]
        if not problems:
            splits = sorted({problem.split for problem in store.problems()})
            raise QprobeError(f"{folder} has no problems of split {split!r}. Choose from {', '.join(splits)}.")
        samples = load_samples(store)
        chosen = {problem.id for problem in problems}
        samples = samples.take([place for place, name in enumerate(samples.problem_ids) if name in chosen])
        if not len(samples.problem_ids):
            raise QprobeError(f"{folder} has no samples of split {split!r}.")
        about = store.about
        values = feature_values(store, samples.problem_ids, samples.indices_PN.numpy())
        embedding, by_id = about.require_embedding(folder), {problem.id: problem for problem in problems}
        return ProblemSet(name, folder, about.benchmark, samples, by_id, embedding, values)


def _find(name: str, runs: Path) -> tuple[Path, str | None]:
    """The run's folder and the split that a name stands for."""
    head, colon, tail = name.rpartition(":")
    readings: list[tuple[str, str | None]] = [(name, None), *([(head, tail)] if colon else [])]
    for wanted, split in readings:
        for folder in (Path(wanted), runs / wanted):
            if wanted and (folder / DATABASE).is_file():
                return folder, split
    for wanted, split in readings:
        if folders := _runs_of(wanted, runs):
            if len(folders) > 1:
                listed = ", ".join(map(str, folders))
                raise QprobeError(f"{wanted} is the benchmark of {len(folders)} runs ({listed}): name one of them.")
            return folders[0], split
    raise QprobeError(f"{name!r} is neither a run nor the benchmark of one in {runs}: write RUN or RUN:SPLIT.")


def _runs_of(benchmark: str, runs: Path) -> list[Path]:
    folders = sorted(path.parent for path in runs.glob(f"*/{DATABASE}"))
    return [folder for folder in folders if _benchmark_of(folder) == benchmark]


def _benchmark_of(folder: Path) -> str | None:
    """The benchmark of a run, read without its lock: another command may be using the run."""
    address = (folder / DATABASE).absolute().as_uri()  # quotes #, ? and %
    for mode in ("mode=ro", "immutable=1"):  # the latter on a read-only disk, where SQLite can make no index
        try:
            with closing(sqlite3.connect(f"{address}?{mode}", uri=True)) as database:
                row = database.execute("SELECT value FROM settings WHERE name = 'benchmark'").fetchone()
            return None if row is None else str(json.loads(row[0]))
        except sqlite3.Error:
            continue
    return None


def refuse_other_vectors(train: ProblemSet, test: ProblemSet) -> None:
    """Raise ProbeError unless both sets were embedded by the very same model."""
    models = [part.embedding.fingerprint or part.embedding.embedder for part in (train, test)]
    if models[0] != models[1]:
        name = train.embedding.embedder
        raise ProbeError(
            f"Probes of {train.name} read vectors of {name}, and {test.name} has those of "
            f"{test.embedding.embedder}: run qprobe embed {test.folder} --embedder {name}."
        )
