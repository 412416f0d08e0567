"""Import samples that somebody else drew: generation's stand-in where there is no model."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import Benchmark
from benchmarks.errata import errata_of
from benchmarks.reading import sha256
from harness.errors import QprobeError
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.sample_formats import FORMATS, Drawn, Problems, detect_format, numbered_rows

SHOWN = 5
"""How many bad lines a message names."""


@dataclass(slots=True)
class Imported:
    """What an import did."""

    new: int = 0
    kept: int = 0  # samples that were there already
    problems: int = 0  # problems with samples now
    unsolved: int = 0  # those of them without a solution, whose tests alone say how to grade them
    bad: list[str] = field(default_factory=list)  # "line 3: not JSON (...)"

    def complaint(self, path: Path) -> str:
        """One sentence about the rows that were left out."""
        named = "; ".join(self.bad[:SHOWN]) + ("; ..." if len(self.bad) > SHOWN else "")
        return (
            f"{path}: {len(self.bad)} of its rows could not be used ({named}). "
            f"The good ones are kept, {self.new + self.kept} samples; mend the file and import it again."
        )


def import_samples(store: Store, benchmark: Benchmark, path: Path, format_name: str = "auto") -> Imported:
    """Add the samples of a file to a run, in one transaction; what is there already is left as it is.

    Raises QprobeError where the file holds no usable sample, or the run holds another file's samples.
    """
    problems = benchmark.problems()
    done = Imported()
    drawn = list(read_drawn(path, format_name, Problems(problems), done.bad))
    if not drawn:
        raise QprobeError(done.complaint(path) if done.bad else f"{path} is empty: it holds no samples.")
    _settle(store, benchmark, path, complete=not done.bad)
    asked = {sample.problem_id for sample in drawn}
    store.add_problems(problem for problem in problems if problem.id in asked)
    done.new = store.add_completions(new_completions(store.completions(), drawn))
    done.kept, done.problems = len(drawn) - done.new, len(asked)
    chosen = [problem for problem in problems if problem.id in asked]
    done.unsolved = sum(not (problem.solution or problem.mode or problem.language) for problem in chosen)
    return done


def _settle(store: Store, benchmark: Benchmark, path: Path, *, complete: bool) -> None:
    """A run holds one file's samples; only a file that was imported with rows left out may be replaced, mended."""
    store.settle("benchmark", benchmark.name)
    store.settle("errata", errata.described if (errata := errata_of(benchmark)) else "")
    source = {"file": path.name, "sha256": sha256(path)}
    known = store.settings().get("source", {"complete": False})
    if known.get("complete", True) and known.get("sha256") != source["sha256"]:
        raise QprobeError(
            f"{store.folder} holds the samples of {known.get('file', 'a model')} already. "
            "Import these into another run folder."
        )
    store.note("source", {**source, "complete": complete})


def read_drawn(path: Path, format_name: str, problems: Problems, bad: list[str]) -> Iterator[Drawn]:
    """The samples of a file in one of our formats, or in the one its first row shows; what is wrong goes to `bad`."""
    for number, row in numbered_rows(path):
        try:
            if isinstance(row, ValueError):
                raise row
            format_name = detect_format(row) if format_name == "auto" else format_name
            yield from FORMATS[format_name][1](row, problems)
        except ValueError as error:
            bad.append(f"line {number}: {error}")


def new_completions(stored: Iterable[Completion], drawn: Sequence[Drawn]) -> Iterator[Completion]:
    """Number the samples that are not stored yet, after those that are.

    The same text may be drawn several times, so a stored sample stands for one row of the file, not for all its like.
    """
    there: Counter[tuple[str, str, str]] = Counter()
    next_index: Counter[str] = Counter()
    for completion in stored:
        there[completion.problem_id, completion.text, completion.program] += 1
        next_index[completion.problem_id] += 1
    for sample in drawn:
        key = (sample.problem_id, sample.text, sample.program)
        if there[key]:
            there[key] -= 1
            continue
        index = next_index[sample.problem_id]
        next_index[sample.problem_id] += 1
        yield Completion(sample.problem_id, index, sample.prompt, sample.text, sample.program)
