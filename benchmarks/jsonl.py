"""A benchmark from a file: one problem per line, `{"id", "prompt", "entry_point", "tests"}` and a few optional fields.

A problem that asks for a whole program is `{"id", "prompt", "cases"}`.
"""

import ast
import math
import re
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from keyword import iskeyword
from pathlib import Path
from typing import Any

from benchmarks import stdin_programs
from benchmarks.data_files import (
    ReaderLimitError,
    check_well_formed,
    long_integers,
    numbered_lines,
    parse_row,
    read_text,
    user_path,
)
from benchmarks.extraction import FUNCTION_STOPS, program_of
from benchmarks.problem import BenchmarkError, Problem
from benchmarks.python_source import with_hex_integers
from sandbox.job import MODES
from sandbox.tests_reading import TextOfTests

REQUIRED = ("id", "prompt", "entry_point", "tests")
OPTIONAL = ("solution", "setup", "split", "mode", "timeout", "call_timeout")
TEST_SOURCES = ("tests", "setup")
SOURCES = (*TEST_SOURCES, "solution")
NOT_EMPTY = ("id", "prompt", "tests", "split")
_DEFINED = re.compile(r"^(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)


class JsonlBenchmark:
    """The problems of a JSONL file. `solution` is a whole program; `stop` a list of strings."""

    licence = "the file's own"

    def __init__(self, path: Path) -> None:
        self.path = path = user_path(path)
        self.name = path.name.removesuffix(".gz").removesuffix(".jsonl")

    def problems(self) -> Sequence[Problem]:
        """All problems in the file's order. Raises BenchmarkError naming the line and the field that is wrong."""
        problems = Problems(str(self.path))
        for number, line in numbered_lines(read_text(self.path)):
            problems.add(f"line {number}", partial(self._problem_of_line, line))
        return problems.all()

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string; for a whole program, the completion's code."""
        return program_of(problem, prompt, completion)

    def _problem_of_line(self, line: str) -> Problem:
        return problem_of_row(parse_row(line), self.path.parent)


class Problems:
    """Collects the problems of a source; an error names the place of the row that is wrong."""

    def __init__(self, source: str, *, skip_limits: bool = False) -> None:
        """With `skip_limits`, a row beyond the reader's limits is left out, and named in `left_out`."""
        self._source = source
        self._skip_limits = skip_limits
        self._places: dict[str, str] = {}
        self._problems: list[Problem] = []
        self.left_out: list[str] = []  # "line 3: JSON nested too deeply"

    def add(self, place: str, make: Callable[[], Problem | None]) -> None:
        """Add the problem that `make` returns, if any.

        Raises BenchmarkError where `make` raises ValueError or the id is taken.
        """
        try:
            with long_integers():
                problem = make()
            if problem is None:
                return
            if problem.id in self._places:
                raise ValueError(f"the id {problem.id!r} is already used by {self._places[problem.id]}")
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            if not (self._skip_limits and isinstance(error, ReaderLimitError | RecursionError)):
                raise BenchmarkError(f"{self._source}, {place}: {reason}.") from error
            self.left_out.append(f"{place}: {reason}")
            return
        self._places[problem.id] = place
        self._problems.append(problem)

    def all(self) -> list[Problem]:
        """Every problem. Raises BenchmarkError where the source holds none."""
        if not self._problems:
            raise BenchmarkError(f"{self._source} holds no problems; write one JSON object per line.")
        return self._problems


def problem_of_row(row: dict[str, Any], folder: Path = Path()) -> Problem:
    """Check one row and return its problem. Paths in it are relative to `folder`.

    Raises ValueError with a short reason.
    """
    required, optional = (stdin_programs.REQUIRED, stdin_programs.OPTIONAL) if "cases" in row else (REQUIRED, OPTIONAL)
    _check_names(row, required, optional)
    for name in {*required, *optional} - {"cases", "timeout", "call_timeout"}:
        _check_text(name, row.get(name, ""))
    for name in NOT_EMPTY:
        if name in row and not row[name].strip():
            raise ValueError(f"the field {name!r} is empty")
    stop = row.get("stop", [] if "cases" in row else list(FUNCTION_STOPS))
    if not (isinstance(stop, list) and all(isinstance(text, str) and text for text in stop)):
        raise ValueError("the field 'stop' is not a list of non-empty strings")
    if "cases" in row:
        return _checked_program(stdin_programs.program_problem_of(row, tuple(stop), folder))
    for name in SOURCES:
        _check_compiles(name, row.get(name, ""))
    _check_entry_point(row["entry_point"], row["prompt"])
    _check_mode(row.get("mode", ""))
    for name in ("timeout", "call_timeout"):
        _check_timeout(name, row.get(name, 0))
    if TextOfTests(row["tests"], row.get("setup", ""), row["entry_point"]).calls_nothing:
        raise ValueError(
            "the field 'tests' calls nothing, so every program would pass: write assertions, check(candidate), "
            "functions named test_... or unittest classes"
        )
    fields = {name: row[name] for name in (*REQUIRED, *OPTIONAL) if name in row}
    hexadecimal = {name: with_hex_integers(fields[name]) for name in TEST_SOURCES if name in fields}
    return Problem(**{**fields, **hexadecimal}, stop=tuple(stop))


def _checked_program(problem: Problem) -> Problem:
    if problem.language == "python":
        _check_compiles("solution", problem.solution)
    return problem


def _check_names(row: dict[str, Any], required: Sequence[str], optional: Sequence[str]) -> None:
    """Raise ValueError for a field that is missing or misspelt. Further fields are the author's notes."""
    names = (*required, *optional, "stop")
    notes = [name for name in row if name not in names]
    for name in names:
        near = get_close_matches(name, notes, n=1, cutoff=0.8)
        if name not in row and near:
            raise ValueError(f"unknown field {near[0]!r} (did you mean {name!r}?)")
    missing = [name for name in required if name not in row]
    if missing:
        raise ValueError(f"the field {missing[0]!r} is missing")


def _check_text(name: str, value: object) -> None:
    """Raise ValueError where a field is not a text that can be stored and shown to a model."""
    if not isinstance(value, str):
        raise ValueError(f"the field {name!r} is not a string")
    check_well_formed(name, value)


def _check_compiles(name: str, source: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in strings
            ast.parse(source)
    except SyntaxError as error:
        place = f", line {error.lineno} of it" if error.lineno else ""
        raise ValueError(f"the field {name!r} does not compile ({error.msg}{place})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the field {name!r} does not compile ({error})") from error


def _check_timeout(name: str, seconds: object) -> None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < math.inf:
        raise ValueError(f"the field {name!r} is {seconds!r}: write the CPU seconds that a program or call may use")


def _check_mode(mode: str) -> None:
    if mode and mode not in MODES:
        near = get_close_matches(mode, MODES, n=1)
        raise ValueError(
            f"the field 'mode' is {mode!r}: choose from {', '.join(MODES)}"
            + (f" (did you mean {near[0]!r}?)" if near else "")
        )


def _check_entry_point(entry_point: str, prompt: str) -> None:
    """Raise ValueError where the prompt does not tell the model the name of its function."""
    if not entry_point.isidentifier() or iskeyword(entry_point):
        raise ValueError(f"the field 'entry_point' is not the name of a function: {entry_point!r}")
    defined = _DEFINED.findall(prompt)
    if defined and entry_point not in defined:
        raise ValueError(f"the prompt does not define the entry point {entry_point!r}; it defines {defined[-1]!r}")
    if not re.search(rf"\b{re.escape(entry_point)}\b", prompt):
        raise ValueError(f"the prompt neither defines nor names the entry point {entry_point!r}")
