"""Known wrong problems: a small file beside the benchmark says which, what is done about each, why, and who found it.

    [[problem]]
    id = "MBPP/1"
    what = "replace"           # or "drop", or "weak": nothing is done, and the doctor's `checks` may fail on it
    why = "..."
    source = "..."
    fields = {tests = "..."}   # the fields to replace

The data itself is never changed: `--no-errata` is the benchmark as it was published.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from benchmarks.problem import Benchmark, BenchmarkError, Problem
from benchmarks.reading import read_text

FOLDER = Path(__file__).parent
WHATS = ("drop", "replace", "weak")
MENDED = ("prompt", "entry_point", "tests", "solution", "setup")


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of one problem."""

    id: str
    what: str
    why: str
    source: str
    checks: tuple[str, ...] = ()  # of the doctor's, that are known to fail
    fields: dict[str, Any] = field(default_factory=dict)  # of MENDED, with their text

    def mend(self, problem: Problem) -> Problem:
        """The problem with its wrong fields replaced."""
        return replace(problem, **self.fields)


@dataclass(frozen=True, slots=True)
class Errata:
    """What is known of a benchmark's problems."""

    name: str
    sha256: str
    notes: tuple[Note, ...]

    @property
    def described(self) -> str:
        """One line for a report: "humaneval 1a2b3c4d (3 weak)"."""
        counts = Counter(note.what for note in self.notes)
        return (
            f"{self.name} {self.sha256[:8]} ({', '.join(f'{counts[what]} {what}' for what in WHATS if counts[what])})"
        )

    def known(self, problem_id: str, check: str) -> str:
        """Why this check of the doctor's is known to fail on a problem; "" where it is not."""
        return next((note.why for note in self.notes if note.id == problem_id and check in note.checks), "")

    def apply(self, problems: Sequence[Problem]) -> list[Problem]:
        """The problems, mended. Raises BenchmarkError where the errata speaks of one that is not there."""
        notes = {note.id: note for note in self.notes}
        if absent := notes.keys() - {problem.id for problem in problems}:
            raise BenchmarkError(f"The errata of {self.name} names {min(absent)}, which there is not: --no-errata.")
        kept = [problem for problem in problems if problem.id not in notes or notes[problem.id].what != "drop"]
        return [notes[each.id].mend(each) if each.id in notes else each for each in kept]


class CorrectedBenchmark:
    """A benchmark whose known wrong problems are mended."""

    def __init__(self, inner: Benchmark, errata: Errata) -> None:
        self.inner = inner
        self.errata = errata
        self.name = inner.name
        self.licence = getattr(inner, "licence", "unknown")

    def problems(self) -> Sequence[Problem]:
        """All problems but those dropped."""
        return self.errata.apply(self.inner.problems())

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The whole program to run."""
        return self.inner.program(problem, prompt, completion)

    def fetch(self) -> Path | None:
        """Keep the data on this machine."""
        bring = getattr(self.inner, "fetch", None)
        return bring() if bring else None


def errata_of(benchmark: Benchmark) -> Errata | None:
    """The errata that a benchmark was opened with."""
    return benchmark.errata if isinstance(benchmark, CorrectedBenchmark) else None


def with_errata(benchmark: Benchmark) -> Benchmark:
    """The benchmark under the errata that ships for it; as it is where none does."""
    path = FOLDER / f"{benchmark.name}.toml"
    return CorrectedBenchmark(benchmark, read_errata(path)) if path.exists() else benchmark


def read_errata(path: Path) -> Errata:
    """Read an errata. Raises BenchmarkError for whatever is wrong with it."""
    text = read_text(path)
    try:
        rows = tomllib.loads(text).get("problem", [])
        notes = tuple(_note(row) for row in rows)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise BenchmarkError(f"{path}: {error}.") from error
    return Errata(path.stem, hashlib.sha256(text.encode()).hexdigest(), notes)


def _note(row: dict[str, Any]) -> Note:
    unknown = row.keys() - {field.name for field in fields(Note)}
    missing = {"id", "what", "why", "source"} - row.keys()
    if unknown or missing:
        what = f"unknown {min(unknown)!r}" if unknown else f"no {min(missing)!r}"
        raise ValueError(f"the problem {row.get('id', '')!r} has {what}")
    note = Note(**{**row, "checks": tuple(row.get("checks", ()))})
    if note.what not in WHATS:
        raise ValueError(f"the problem {note.id!r}: what is {note.what!r}, and must be one of {', '.join(WHATS)}")
    if (note.what == "replace") != bool(note.fields) or (note.what == "weak") != bool(note.checks):
        raise ValueError(f"the problem {note.id!r}: replace needs fields, weak needs checks, and nothing else has them")
    if wrong := [name for name, text in note.fields.items() if name not in MENDED or not isinstance(text, str)]:
        raise ValueError(
            f"the problem {note.id!r}: {wrong[0]!r} is no text of a problem's; there are {', '.join(MENDED)}"
        )
    return note
