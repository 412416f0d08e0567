"""A benchmark from a file: one problem a line, `{"id", "prompt", "entry_point", "tests"}` and a few optional fields."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from benchmarks.problem import BenchmarkError, Problem
from benchmarks.reading import numbered_lines, parse_row, read_text

REQUIRED = ("id", "prompt", "entry_point", "tests")
OPTIONAL = ("solution", "setup", "split")


class JsonlBenchmark:
    """The problems of a JSONL file. `solution` is a whole program; `stop` a list of strings."""

    licence = "the file's own"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name.removesuffix(".gz").removesuffix(".jsonl")

    def problems(self) -> Sequence[Problem]:
        """All problems in the file's order. Raises BenchmarkError naming the line and the field that is wrong."""
        problems: dict[str, Problem] = {}
        for number, line in numbered_lines(read_text(self.path)):
            try:
                problem = problem_of_row(parse_row(line))
                if problem.id in problems:
                    raise ValueError(f"the id {problem.id!r} stands in an earlier line too")
            except ValueError as error:
                raise BenchmarkError(f"{self.path}, line {number}: {error}.") from error
            problems[problem.id] = problem
        if not problems:
            raise BenchmarkError(f"{self.path} holds no problem: write one JSON object a line.")
        return list(problems.values())

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string."""
        return continue_prompt(prompt, completion, problem.stop)


def problem_of_row(row: dict[str, Any]) -> Problem:
    """Check one row and make a problem of it. Raises ValueError with a short reason."""
    missing = [name for name in REQUIRED if name not in row]
    if missing:
        raise ValueError(f"the field {missing[0]!r} is missing")
    for name in (*REQUIRED, *OPTIONAL):
        if not isinstance(row.get(name, ""), str):
            raise ValueError(f"the field {name!r} is not a string")
    stop = row.get("stop", list(FUNCTION_STOPS))
    if not (isinstance(stop, list) and all(isinstance(text, str) and text for text in stop)):
        raise ValueError("the field 'stop' is not a list of non-empty strings")
    _check_compiles(row["tests"])
    return Problem(**{name: row[name] for name in (*REQUIRED, *OPTIONAL) if name in row}, stop=tuple(stop))


def _check_compiles(tests: str) -> None:
    try:
        ast.parse(tests)
    except SyntaxError as error:
        raise ValueError(f"the field 'tests' does not compile ({error.msg}, line {error.lineno} of it)") from error
