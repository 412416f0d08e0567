"""Import existing samples into a run, in place of generation."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import Benchmark, Problem
from benchmarks.data_files import sha256, user_path
from benchmarks.errata import errata_of
from harness.errors import QprobeError
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.sample_formats import (
    FORMATS,
    FileSample,
    ProblemFinder,
    check_source,
    detect_format,
    numbered_rows,
)

SHOWN = 5
"""The number of bad lines that a message names."""


@dataclass(slots=True)
class Imported:
    """The result of an import."""

    new: int = 0
    kept: int = 0  # samples that the run already had
    problems: int = 0  # problems with samples in the file
    bad: list[str] = field(default_factory=list)  # "line 3: not JSON (...)"
    warnings: list[str] = field(default_factory=list)  # sentences about the benchmark

    def complaint(self, path: Path) -> str:
        """Return one sentence about the rows that were left out."""
        named = "; ".join(self.bad[:SHOWN]) + ("; ..." if len(self.bad) > SHOWN else "")
        return (
            f"{path}: {len(self.bad)} of its rows could not be used ({named}). "
            f"The {self.new + self.kept} samples of the other rows are kept; correct the file and import it again."
        )


def import_samples(
    store: Store, benchmark: Benchmark, path: Path, format_name: str = "auto", *, complete: bool = False
) -> Imported:
    """Add the samples of a file to a run, in one transaction; existing samples are left unchanged.

    Raises QprobeError where the file holds no usable sample, where the run holds another file's samples, and, with
    `complete`, where a problem of the samples' splits has no sample.
    """
    path = user_path(path)
    check_source(path, format_name)
    problems = benchmark.problems()
    done = Imported()
    drawn = list(read_samples(path, format_name, ProblemFinder(problems, benchmark), done.bad))
    if not drawn:
        raise QprobeError(done.complaint(path) if done.bad else f"{path} is empty; it holds no samples.")
    named = {sample.problem_id for sample in drawn}
    sampled = [problem for problem in problems if problem.id in named]
    missing = _missing(problems, sampled)
    if missing and complete:
        raise QprobeError(f"{_coverage(path, sampled, missing)}. Add the others' samples, or leave out --complete.")
    _settle(store, benchmark, path, complete=not done.bad)
    store.note("benchmark_problems", len(sampled) + len(missing))
    store.add_problems(sampled)
    done.warnings = left_out(benchmark)
    if missing:
        done.warnings.append(
            f"{_coverage(path, sampled, missing)}: figures are of these. --complete makes it an error."
        )
    if unsolved := sum(not (problem.solution or problem.mode or problem.language) for problem in sampled):
        done.warnings.append(
            f"{unsolved:,} problems have no solution: their tests alone decide how they are graded, and a program that "
            "needs more than they show is unsupported and has no reward."
        )
    done.new = store.add_completions(new_completions(store.completions(), drawn))
    done.kept, done.problems = len(drawn) - done.new, len(named)
    return done


def _missing(problems: Sequence[Problem], sampled: Sequence[Problem]) -> list[str]:
    """Return the ids of the problems without a sample, in the splits that the samples are of."""
    splits, ids = {problem.split for problem in sampled}, {problem.id for problem in sampled}
    return [problem.id for problem in problems if problem.split in splits and problem.id not in ids]


def _coverage(path: Path, sampled: Sequence[Problem], missing: Sequence[str]) -> str:
    named = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
    total = len(sampled) + len(missing)
    return f"{path.name} has samples of {len(sampled):,} of {total:,} problems (not of {named})"


def left_out(benchmark: Benchmark) -> list[str]:
    """Return a sentence about the benchmark's rows that are beyond what can be read."""
    rows: Sequence[str] = getattr(benchmark, "left_out", ())
    return [f"{benchmark.name}: rows left out because they cannot be read: {len(rows)} ({rows[0]})."] if rows else []


def _settle(store: Store, benchmark: Benchmark, path: Path, *, complete: bool) -> None:
    """Record the file. Only a file that was imported with bad rows may be replaced, by its correction."""
    store.settle("benchmark", benchmark.name)
    store.settle("errata", errata.described if (errata := errata_of(benchmark)) else "")
    source = {"file": path.name, "sha256": sha256(path)}
    earlier = store.about.source
    if earlier and earlier.complete and earlier.sha256 != source["sha256"]:
        raise QprobeError(
            f"{store.folder} holds the samples of {earlier.name} already. Import these into another run folder."
        )
    store.note("source", {**source, "complete": complete})


def read_samples(path: Path, format_name: str, problems: ProblemFinder, bad: list[str]) -> Iterator[FileSample]:
    """Yield the samples of a file in a format, by default that of its first row; errors are added to `bad`."""
    for number, row in numbered_rows(path):
        try:
            if isinstance(row, ValueError):
                raise row
            format_name = detect_format(row) if format_name == "auto" else format_name
            yield from FORMATS[format_name][1](row, problems)
        except ValueError as error:
            bad.append(f"line {number}: {error}")


def new_completions(stored: Iterable[Completion], drawn: Sequence[FileSample]) -> Iterator[Completion]:
    """Yield the samples that are not stored yet, numbered after the stored ones.

    The same text may be drawn several times: each stored sample accounts for one row of the file.
    """
    stored_counts: Counter[tuple[str, str, str]] = Counter()
    next_index: Counter[str] = Counter()
    for completion in stored:
        stored_counts[completion.problem_id, completion.text, completion.program] += 1
        next_index[completion.problem_id] += 1
    for sample in drawn:
        key = (sample.problem_id, sample.text, sample.program)
        if stored_counts[key]:
            stored_counts[key] -= 1
            continue
        index = next_index[sample.problem_id]
        next_index[sample.problem_id] += 1
        known = sample.scores._asdict() if sample.scores else {}
        yield Completion(
            sample.problem_id,
            index,
            sample.prompt,
            sample.text,
            sample.program,
            finish_reason=sample.finish_reason,
            **known,
        )
