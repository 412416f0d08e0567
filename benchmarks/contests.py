"""Problems of programming contests, some of which ask for a function: the common part of APPS and LiveCodeBench.

A problem that reads standard input asks for a whole program. One that names a function becomes a function problem: its
cases are calls. Contests write such a function as a method of a class `Solution`, which counts as the function.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.data_files import check_well_formed, numbered_lines, parse_row, read_text, user_path
from benchmarks.extraction import cut_at, whole_program
from benchmarks.hub import HubData, JsonRow
from benchmarks.jsonl import Problems
from benchmarks.problem import Problem
from benchmarks.program_choice import function_program, last_block
from benchmarks.python_source import literal
from sandbox.cases import Case, Compare, program_tests

PREAMBLE = """from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from typing import *
import bisect, collections, functools, heapq, itertools, math, random, re, string, sys
"""
"""The imports that contest sites place before a function; solutions rely on them."""

SETUP = """inf, nan = float("inf"), float("nan")


def plain(value):
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def same(found, expected, wrapped):
    found = plain(found)
    return found == expected or wrapped and isinstance(expected, list) and [found] == expected[:1]
"""
"""A tuple equals the list that JSON makes of it; a `wrapped` result may stand alone in a list."""

MOST_CALLS = 5
"""The calls of a function that may all use the time of one: a program that never ends must not cost minutes."""

_CLASS = re.compile(r"^class\s+Solution\b", re.MULTILINE)


class Call(NamedTuple):
    """One call of a function."""

    arguments: list[Any]
    result: Any


class Statement(NamedTuple):
    """The parts that both kinds of problems have."""

    id: str
    prompt: str
    solution: str
    split: str
    timeout: float  # CPU seconds per call or case, as the benchmark's own grader allows


class Contest:
    """A benchmark of contest problems, from a file of the authors' rows or from the hub."""

    name: str
    licence: str
    data: HubData

    def __init__(self, path: str | None = None) -> None:
        self._path = user_path(path) if path else None
        self.left_out: tuple[str, ...] = ()

    def problems(self) -> Sequence[Problem]:
        """All problems that have tests; `left_out` then names the rows that are beyond what can be read here.

        Raises BenchmarkError naming the row and the field that is wrong.
        """
        problems = Problems(str(self._path or self.data.name), skip_limits=True)
        for place, split, make_row in self._rows():
            problems.add(place, _maker(self.problem, make_row, split))
        self.left_out = tuple(problems.left_out)
        return problems.all()

    def problem(self, row: JsonRow, split: str) -> Problem | None:
        """One problem, None where it has no tests. Raises ValueError with a short reason."""
        raise NotImplementedError

    def fetch(self) -> Path | None:
        """Keep a copy of the hub's rows; None where a file is read."""
        return None if self._path else self.data.fetch()

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The program in the completion's code blocks, or the completion; of `Solution`, the method as a function."""
        if problem.language:
            return whole_program(completion, problem.stop, problem.language)
        return as_function(cut_at(_function(completion, problem.entry_point), problem.stop), problem.entry_point)

    def _rows(self) -> Iterator[tuple[str, str, Callable[[], JsonRow]]]:
        if self._path is None:
            for number, (split, row) in enumerate(self.data.rows(), start=1):
                yield f"row {number}", split, _given(row)
            return
        for number, line in numbered_lines(read_text(self._path)):
            yield f"line {number}", "test", _parsed(line)


def _function(completion: str, name: str) -> str:
    """The block that defines the function or the class `Solution`, or else the last block, or all of the completion."""
    for wanted in ("Solution", name):
        if (block := function_program(completion, wanted)) is not None:
            return block
    block = last_block(completion, name)
    return completion if block is None else block


def _maker(
    problem: Callable[[JsonRow, str], Problem | None], make_row: Callable[[], JsonRow], split: str
) -> Callable[[], Problem | None]:
    return lambda: problem(make_row(), split)


def _given(row: JsonRow) -> Callable[[], JsonRow]:
    return lambda: row


def _parsed(line: str) -> Callable[[], JsonRow]:
    return lambda: parse_row(line)


def as_function(program: str, name: str) -> str:
    """Return a program whose function `name` can be called: the preamble, the program, the method as a function."""
    tail = f"\n\n{name} = Solution().{name}\n" if _CLASS.search(program) else ""
    return f"{PREAMBLE}\n{program}{tail}"


def function_problem(statement: Statement, name: str, calls: Sequence[Call], *, wrapped: bool = False) -> Problem:
    """Return a problem that asks for a function. Raises ValueError where `name` is no name, or there is no call."""
    if not name.isidentifier():
        raise ValueError(f"{name!r} is not the name of a function")
    if not calls:
        raise ValueError("the list of cases is empty")
    lines = [
        f"    assert same(candidate(*{literal(call.arguments)}), {literal(call.result)}, {wrapped})" for call in calls
    ]
    tests = "\n".join(["def check(candidate):", *lines]) + "\n"
    check_well_formed("tests", tests)
    solution = as_function(statement.solution, name) if statement.solution else ""
    return Problem(
        statement.id,
        statement.prompt,
        name,
        tests,
        solution,
        SETUP,
        statement.split,
        timeout=statement.timeout * min(len(calls), MOST_CALLS),
        call_timeout=statement.timeout,
    )


def program_problem(statement: Statement, cases: Sequence[Case], compare: Compare) -> Problem:
    """Return a problem that asks for a whole program. Raises ValueError where there is no case."""
    if not cases:
        raise ValueError("the list of cases is empty")
    for number, case in enumerate(cases, start=1):
        check_well_formed(f"case {number}", "".join(case))
    tests = program_tests(cases, compare)
    return Problem(
        statement.id,
        statement.prompt,
        "",
        tests,
        statement.solution,
        "",
        statement.split,
        language="python",
        timeout=statement.timeout,
    )


def text(row: JsonRow, name: str) -> str:
    """Return a field that must be a string; "" where it is null. Raises ValueError."""
    if name not in row:
        raise ValueError(f"the field {name!r} is missing")
    value = row[name]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"the field {name!r} is not a string")
    check_well_formed(name, value)
    return value
