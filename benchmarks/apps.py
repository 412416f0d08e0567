"""APPS: 10,000 problems of programming contests (Hendrycks et al. 2021, arXiv 2105.09938), MIT.

The rows have the columns of `codeparrot/apps`: problem_id, question, solutions, input_output, starter_code, difficulty
and url. They are read from a file of JSON lines (`apps:test.jsonl`), the cached copy or the hub. Outputs are compared
as numbers where they are numbers; a problem without tests is left out.
"""

from typing import Any

from benchmarks.contests import Call, Contest, Statement, function_problem, program_problem, text
from benchmarks.data_files import ReaderLimitError, parse_json
from benchmarks.hub import HubData, JsonRow
from benchmarks.problem import Problem
from sandbox.cases import Case

TIMEOUT = 4.0
"""CPU seconds per case, as the benchmark's published grader allows."""


class Apps(Contest):
    """The problems; the reference of each is the first of its solutions."""

    name = "apps"
    licence = "MIT"
    data = HubData(
        "apps",
        "codeparrot/apps",
        config="all",
        otherwise="name the rows in a file with --benchmark apps:FILE.jsonl",
    )

    def problem(self, row: JsonRow, split: str) -> Problem | None:
        """See `Contest.problem`."""
        tests = _json(row, "input_output")
        if not tests:
            return None
        number = row.get("problem_id", row.get("id"))
        if number is None:
            raise ValueError("the field 'problem_id' is missing")
        solutions = _json(row, "solutions") or [""]
        if not isinstance(solutions, list):
            raise ValueError("the field 'solutions' is not a list")
        called = isinstance(tests, dict) and bool(tests.get("fn_name"))
        prompt = _prompt(text(row, "question"), text(row, "starter_code"), called)
        statement = Statement(f"APPS/{split}/{number}", prompt, str(solutions[0]), split, TIMEOUT)
        pairs = _pairs(tests)
        if not pairs:
            return None
        if called:
            return function_problem(statement, str(tests["fn_name"]), _calls(pairs), wrapped=True)
        return program_problem(
            statement, [Case(_lines(given), _lines(expected)) for given, expected in pairs], "numbers"
        )


def _prompt(question: str, starter: str, called: bool) -> str:
    """The prompt of the authors' evaluation (section 4 of the paper)."""
    begin = f"\n{starter}" if starter.strip() else ""
    style = "Use Call-Based format" if called else "Use Standard Input format"
    return f"\nQUESTION:\n{question}\n{begin}\n{style}\n\nANSWER:\n"


def _json(row: JsonRow, name: str) -> Any:  # noqa: ANN401 - JSON's own types
    """The value of a field that is JSON in a string; None where it is empty."""
    value = text(row, name)
    try:
        return parse_json(value) if value.strip() else None
    except ReaderLimitError as error:
        raise ReaderLimitError(f"the field {name!r}: {error}") from error
    except ValueError as error:
        raise ValueError(f"the field {name!r} does not hold JSON ({error})") from error


def _pairs(tests: object) -> list[tuple[Any, Any]]:
    if not isinstance(tests, dict) or not all(isinstance(tests.get(name), list) for name in ("inputs", "outputs")):
        raise ValueError("the field 'input_output' has no lists 'inputs' and 'outputs'")
    if len(tests["inputs"]) != len(tests["outputs"]):
        raise ValueError("the field 'input_output' has different numbers of 'inputs' and 'outputs'")
    return list(zip(tests["inputs"], tests["outputs"], strict=True))


def _calls(pairs: list[tuple[Any, Any]]) -> list[Call]:
    if not all(isinstance(arguments, list) for arguments, _ in pairs):
        raise ValueError("the field 'input_output' names a function, and one of its inputs is not a list of arguments")
    return [Call(arguments, result) for arguments, result in pairs]


def _lines(value: object) -> str:
    """A text, or the text of a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
