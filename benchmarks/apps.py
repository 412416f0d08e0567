"""APPS: 10,000 problems of programming contests (Hendrycks et al. 2021, arXiv 2105.09938), MIT.

The rows have the columns of `codeparrot/apps`: problem_id, question, solutions, input_output, starter_code, difficulty
and url. They are read from a file of JSON lines (`apps:test.jsonl`), the kept copy or the hub. Outputs are compared as
numbers where they are numbers; a problem without tests is left out.
"""

import json
from typing import Any

from benchmarks.contests import Asked, Call, Contest, function_problem, program_problem, text
from benchmarks.hub import HubData, JsonRow
from benchmarks.problem import Problem
from sandbox.cases import Case


class Apps(Contest):
    """The problems, the first of each one's solutions as its reference."""

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
        called = isinstance(tests, dict) and bool(tests.get("fn_name"))
        prompt = _prompt(text(row, "question"), text(row, "starter_code"), called)
        asked = Asked(f"APPS/{split}/{number}", prompt, str(solutions[0]), split)
        pairs = _pairs(tests)
        if called:
            return function_problem(asked, str(tests["fn_name"]), _calls(pairs), wrapped=True)
        return program_problem(asked, [Case(_lines(one), _lines(other)) for one, other in pairs], "numbers")


def _prompt(question: str, starter: str, called: bool) -> str:
    """The prompt of the authors' evaluation (section 4 of the paper)."""
    begin = f"\n{starter}" if starter.strip() else ""
    how = "Use Call-Based format" if called else "Use Standard Input format"
    return f"\nQUESTION:\n{question}\n{begin}\n{how}\n\nANSWER:\n"


def _json(row: JsonRow, name: str) -> Any:  # noqa: ANN401 - whatever the field holds
    """What a field that is JSON in a string holds; None where it is empty."""
    value = text(row, name)
    try:
        return json.loads(value) if value.strip() else None
    except ValueError as error:
        raise ValueError(f"the field {name!r} does not hold JSON ({error})") from error


def _pairs(tests: object) -> list[tuple[Any, Any]]:
    if not isinstance(tests, dict) or not all(isinstance(tests.get(name), list) for name in ("inputs", "outputs")):
        raise ValueError("the field 'input_output' has no lists 'inputs' and 'outputs'")
    if len(tests["inputs"]) != len(tests["outputs"]):
        raise ValueError("the field 'input_output' has not as many 'outputs' as 'inputs'")
    return list(zip(tests["inputs"], tests["outputs"], strict=True))


def _calls(pairs: list[tuple[Any, Any]]) -> list[Call]:
    if not all(isinstance(arguments, list) for arguments, _ in pairs):
        raise ValueError("the field 'input_output' names a function and has an input that is no list of arguments")
    return [Call(arguments, result) for arguments, result in pairs]


def _lines(value: object) -> str:
    """A text, or a list of its lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
