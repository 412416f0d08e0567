"""Errata: a file per benchmark that lists its known wrong problems, the correction of each, the reason and the source.

    [[problem]]
    id = "MBPP/1"
    what = "replace"           # or "drop", or "weak": the problem stays, and the doctor's `checks` may fail on it
    why = "..."
    source = "..."
    fields = {tests = "..."}   # the fields to replace

The data is never changed: `--no-errata` is the benchmark as it was published.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from benchmarks.choices import unknown_clause
from benchmarks.data_files import read_text
from benchmarks.problem import Benchmark, BenchmarkError, Problem

FOLDER = Path(__file__).parent
ACTIONS = ("drop", "replace", "weak")
REPLACEABLE = ("prompt", "entry_point", "tests", "solution", "setup")


@dataclass(frozen=True, slots=True)
class Note:
    """The entry of one problem."""

    id: str
    what: str
    why: str
    source: str
    checks: tuple[str, ...] = ()  # the doctor's checks that are known to fail
    fields: dict[str, Any] = field(default_factory=dict)  # name, one of REPLACEABLE, -> text

    def correct(self, problem: Problem) -> Problem:
        """Return the problem with its wrong fields replaced."""
        return replace(problem, **self.fields)


@dataclass(frozen=True, slots=True)
class Errata:
    """The errata of one benchmark."""

    name: str
    sha256: str
    notes: tuple[Note, ...]

    @property
    def described(self) -> str:
        """One line for a report: "humaneval 1a2b3c4d (3 weak)"."""
        counts = Counter(note.what for note in self.notes)
        return (
            f"{self.name} {self.sha256[:8]} ({', '.join(f'{counts[what]} {what}' for what in ACTIONS if counts[what])})"
        )

    def known(self, problem_id: str, check: str) -> str:
        """Return the reason why a check of the doctor is known to fail on a problem; "" where it is not."""
        return next((note.why for note in self.notes if note.id == problem_id and check in note.checks), "")

    def apply(self, problems: Sequence[Problem]) -> list[Problem]:
        """Return the corrected problems. Raises BenchmarkError where the errata name an unknown problem."""
        notes = {note.id: note for note in self.notes}
        if absent := notes.keys() - {problem.id for problem in problems}:
            raise BenchmarkError(f"The errata of {self.name} name an unknown problem, {min(absent)}; give --no-errata.")
        kept = [problem for problem in problems if problem.id not in notes or notes[problem.id].what != "drop"]
        return [notes[problem.id].correct(problem) if problem.id in notes else problem for problem in kept]


class CorrectedBenchmark:
    """A benchmark with its errata applied."""

    def __init__(self, inner: Benchmark, errata: Errata) -> None:
        self.inner = inner
        self.errata = errata
        self.name = inner.name
        self.licence = getattr(inner, "licence", "unknown")

    def problems(self) -> Sequence[Problem]:
        """All problems except the dropped ones."""
        return self.errata.apply(self.inner.problems())

    @property
    def left_out(self) -> tuple[str, ...]:
        """The rows that could not be read."""
        return getattr(self.inner, "left_out", ())

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The whole program to run."""
        return self.inner.program(problem, prompt, completion)

    def fetch(self) -> Path | None:
        """Cache the data on this machine."""
        inner_fetch = getattr(self.inner, "fetch", None)
        return inner_fetch() if inner_fetch else None


def errata_of(benchmark: Benchmark) -> Errata | None:
    """Return the errata that a benchmark was opened with; None without."""
    return benchmark.errata if isinstance(benchmark, CorrectedBenchmark) else None


def with_errata(benchmark: Benchmark) -> Benchmark:
    """Return the benchmark with its shipped errata applied; unchanged where none are shipped."""
    path = FOLDER / f"{benchmark.name}.toml"
    return CorrectedBenchmark(benchmark, read_errata(path)) if path.exists() else benchmark


def read_errata(path: Path) -> Errata:
    """Read errata from a file. Raises BenchmarkError where anything is wrong with them."""
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
        reason = f"the unknown field {min(unknown)!r}" if unknown else f"no field {min(missing)!r}"
        raise ValueError(f"the problem {row.get('id', '')!r} has {reason}")
    note = Note(**{**row, "checks": tuple(row.get("checks", ()))})
    if note.what not in ACTIONS:
        raise ValueError(f"the problem {note.id!r}: {unknown_clause('action', note.what, ACTIONS)}")
    if (note.what == "replace") != bool(note.fields) or (note.what == "weak") != bool(note.checks):
        raise ValueError(
            f"the problem {note.id!r}: replace needs fields, weak needs checks, and no other action has them"
        )
    if wrong := [name for name, text in note.fields.items() if name not in REPLACEABLE or not isinstance(text, str)]:
        raise ValueError(
            f"the problem {note.id!r}: {wrong[0]!r} is not a replaceable text; choose from {', '.join(REPLACEABLE)}"
        )
    return note
