"""A benchmark from a file: one problem a line, `{"id", "prompt", "entry_point", "tests"}` and a few optional fields.

Or `{"id", "prompt", "cases"}`, where a whole program is asked for.
"""

import ast
import re
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from keyword import iskeyword
from pathlib import Path
from typing import Any

from benchmarks import stdio as whole
from benchmarks.extraction import FUNCTION_STOPS, program_of
from benchmarks.problem import BenchmarkError, Problem
from benchmarks.reading import numbered_lines, parse_row, read_text
from sandbox.job import MODES
from sandbox.tests_reading import TextOfTests

REQUIRED = ("id", "prompt", "entry_point", "tests")
OPTIONAL = ("solution", "setup", "split", "mode")
SOURCES = ("tests", "setup", "solution")
NOT_EMPTY = ("id", "prompt", "tests", "split")
_DEFINED = re.compile(r"^(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)


class JsonlBenchmark:
    """The problems of a JSONL file. `solution` is a whole program; `stop` a list of strings."""

    licence = "the file's own"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name.removesuffix(".gz").removesuffix(".jsonl")

    def problems(self) -> Sequence[Problem]:
        """All problems in the file's order. Raises BenchmarkError naming the line and the field that is wrong."""
        problems = Problems(str(self.path))
        for number, line in numbered_lines(read_text(self.path)):
            problems.add(f"line {number}", partial(self._problem_of_line, line))
        return problems.all()

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string; of a whole program, the completion alone."""
        return program_of(problem, prompt, completion)

    def _problem_of_line(self, line: str) -> Problem:
        return problem_of_row(parse_row(line), self.path.parent)


class Problems:
    """Problems of a source, gathered one by one; what is wrong with one is said with its place."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._places: dict[str, str] = {}
        self._found: list[Problem] = []

    def add(self, place: str, make: Callable[[], Problem | None]) -> None:
        """Add what `make` returns, if anything. Raises BenchmarkError where it raises ValueError or the id is taken."""
        try:
            problem = make()
            if problem is None:
                return
            if problem.id in self._places:
                raise ValueError(f"the id {problem.id!r} is taken already, by {self._places[problem.id]}")
        except ValueError as error:
            raise BenchmarkError(f"{self._source}, {place}: {error}.") from error
        self._places[problem.id] = place
        self._found.append(problem)

    def all(self) -> list[Problem]:
        """Every problem. Raises BenchmarkError where there is none."""
        if not self._found:
            raise BenchmarkError(f"{self._source} holds no problem: write one JSON object a line.")
        return self._found


def problem_of_row(row: dict[str, Any], folder: Path = Path()) -> Problem:
    """Check one row and make a problem of it. Files that it names are looked for from `folder` on.

    Raises ValueError with a short reason.
    """
    required, optional = (whole.REQUIRED, whole.OPTIONAL) if "cases" in row else (REQUIRED, OPTIONAL)
    _check_names(row, required, optional)
    for name in {*required, *optional} - {"cases"}:
        _check_text(name, row.get(name, ""))
    for name in NOT_EMPTY:
        if name in row and not row[name].strip():
            raise ValueError(f"the field {name!r} is empty")
    stop = row.get("stop", [] if "cases" in row else list(FUNCTION_STOPS))
    if not (isinstance(stop, list) and all(isinstance(text, str) and text for text in stop)):
        raise ValueError("the field 'stop' is not a list of non-empty strings")
    if "cases" in row:
        return _checked_whole(whole.whole_problem(row, tuple(stop), folder))
    for name in SOURCES:
        _check_compiles(name, row.get(name, ""))
    _check_entry_point(row["entry_point"], row["prompt"])
    _check_mode(row.get("mode", ""))
    if TextOfTests(row["tests"], row.get("setup", ""), row["entry_point"]).calls_nothing:
        raise ValueError(
            "the field 'tests' calls nothing, so every program would pass: write assertions, check(candidate), "
            "functions named test_... or unittest classes"
        )
    return Problem(**{name: row[name] for name in (*REQUIRED, *OPTIONAL) if name in row}, stop=tuple(stop))


def _checked_whole(problem: Problem) -> Problem:
    if problem.language == "python":
        _check_compiles("solution", problem.solution)
    return problem


def _check_names(row: dict[str, Any], required: Sequence[str], optional: Sequence[str]) -> None:
    """A field that is missing, or whose name is misspelt. Further fields are the author's own notes."""
    known = (*required, *optional, "stop")
    strangers = [name for name in row if name not in known]
    for name in known:
        near = get_close_matches(name, strangers, n=1, cutoff=0.8)
        if name not in row and near:
            raise ValueError(f"the field {near[0]!r} is unknown (did you mean {name!r}?)")
    missing = [name for name in required if name not in row]
    if missing:
        raise ValueError(f"the field {missing[0]!r} is missing")


def _check_text(name: str, value: object) -> None:
    """A text that can be stored and shown to a model: JSON can say halves of a character, which no file can hold."""
    if not isinstance(value, str):
        raise ValueError(f"the field {name!r} is not a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the field {name!r} holds half a character (U+{ord(value[error.start]):X})") from error


def _check_compiles(name: str, source: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape is the author's business
            ast.parse(source)
    except SyntaxError as error:
        place = f", line {error.lineno} of it" if error.lineno else ""
        raise ValueError(f"the field {name!r} does not compile ({error.msg}{place})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the field {name!r} does not compile ({error})") from error


def _check_mode(mode: str) -> None:
    if mode and mode not in MODES:
        near = get_close_matches(mode, MODES, n=1)
        raise ValueError(
            f"the field 'mode' is {mode!r}: choose from {', '.join(MODES)}"
            + (f" (did you mean {near[0]!r}?)" if near else "")
        )


def _check_entry_point(entry_point: str, prompt: str) -> None:
    """A model must be able to know what its function is to be called."""
    if not entry_point.isidentifier() or iskeyword(entry_point):
        raise ValueError(f"the field 'entry_point' is not the name of a function: {entry_point!r}")
    defined = _DEFINED.findall(prompt)
    if defined and entry_point not in defined:
        raise ValueError(f"the prompt does not define the entry point {entry_point!r}; it defines {defined[-1]!r}")
    if not re.search(rf"\b{re.escape(entry_point)}\b", prompt):
        raise ValueError(f"the prompt neither defines nor names the entry point {entry_point!r}")
