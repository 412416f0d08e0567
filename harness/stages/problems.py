"""The problems of a run: a benchmark, and those of its problems that are used."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from benchmarks import Benchmark, Problem
from benchmarks.registry import open_benchmark
from harness.errors import QprobeError

PART = "shard"
"""The setting of a run that says which part of the problems it has; null for all."""


@dataclass(frozen=True)
class Problems(Sequence[Problem]):
    """Some problems of a benchmark, in its order."""

    benchmark: Benchmark
    chosen: tuple[Problem, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)  # benchmark, errata, split, limit: what chose them
    part: Mapping[str, Any] | None = None  # of a run's problems, where they are a shard: see harness/stages/shards.py

    @overload
    def __getitem__(self, place: int) -> Problem: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Problem, ...]: ...

    def __getitem__(self, place: int | slice) -> Problem | tuple[Problem, ...]:
        """Return the problem in a place, or those of a slice."""
        return self.chosen[place]

    def __len__(self) -> int:
        """Return how many problems are used."""
        return len(self.chosen)

    def __iter__(self) -> Iterator[Problem]:
        """Iterate over the problems in the benchmark's order."""
        return iter(self.chosen)


def choose(benchmark: Benchmark, split: str | None = "test", limit: int | None = None) -> Problems:
    """Return the problems of a split (all for None), at most `limit`. Raises QprobeError where there would be none."""
    if limit is not None and limit < 1:
        raise QprobeError(f"--limit is a number of problems and must be at least 1, not {limit}.")
    everything = benchmark.problems()
    problems = [problem for problem in everything if split is None or problem.split == split]
    if not problems:
        splits = ", ".join(sorted({problem.split for problem in everything}))
        raise QprobeError(f"{benchmark.name} has no split {split!r}. Choose from {splits}.")
    return Problems(benchmark, tuple(problems[:limit]))


def count_in_splits(benchmark: Benchmark, problems: Iterable[Problem]) -> int:
    """Return how many problems the benchmark has in the splits that some of its problems are of."""
    splits = {problem.split for problem in problems}
    return sum(problem.split in splits for problem in benchmark.problems())


def load_benchmark(name: str, *, split: str | None = "test", limit: int | None = None, errata: bool = True) -> Problems:
    """Return the problems of a benchmark: a shipped name, `NAME:FILE`, `FILE.jsonl`, `MAPPING.toml` or `FILE.py`.

    With `errata`, problems known to be wrong are corrected. Raises BenchmarkError for an unknown name or bad data,
    QprobeError for an unknown split.
    """
    settings = {"benchmark": name, "errata": errata, "split": split, "limit": limit}
    return replace(choose(open_benchmark(name, errata=errata), split, limit), settings=settings)
