"""Problems that ask for a whole program, which reads standard input and writes standard output."""

import ast
from pathlib import Path
from typing import Any, cast, get_args

from benchmarks.choices import unknown_clause
from benchmarks.data_files import check_well_formed, read_text
from benchmarks.problem import BenchmarkError, Problem
from sandbox.cases import Case, Checker, Compare, program_tests
from sandbox.guest.languages import LANGUAGES

REQUIRED = ("id", "prompt", "cases")
OPTIONAL = ("compare", "language", "solution", "split")
RULES = get_args(Compare)
_FUNCTION_FIELDS = ("entry_point", "tests", "setup")


def program_problem_of(row: dict[str, Any], stop: tuple[str, ...], folder: Path) -> Problem:
    """Check one row with `cases` and return its problem. The path of a checker is relative to `folder`.

    Raises ValueError with a short reason.
    """
    if excess := [name for name in _FUNCTION_FIELDS if name in row]:
        raise ValueError(f"a problem with 'cases' asks for a whole program and has no field {excess[0]!r}")
    language = row.get("language", "python")
    if language not in LANGUAGES:
        raise ValueError(unknown_clause("language", language, LANGUAGES))
    tests = program_tests(read_cases(row["cases"]), _compare(row.get("compare", RULES[0]), folder))
    return Problem(
        id=row["id"],
        prompt=row["prompt"],
        entry_point="",
        tests=tests,
        solution=row.get("solution", ""),
        split=row.get("split", "test"),
        stop=stop,
        language=language,
    )


def read_cases(cases: object) -> list[Case]:
    """Return the cases in a list of `{"input", "output"}`. Raises ValueError that names the wrong one."""
    if not isinstance(cases, list) or not cases:
        raise ValueError("the field 'cases' is not a list of cases")
    return [_case(number, case) for number, case in enumerate(cases, start=1)]


def _case(number: int, case: object) -> Case:
    if not isinstance(case, dict):
        raise ValueError(f"case {number} of the field 'cases' is not an object")
    for name in Case._fields:
        if not isinstance(case.get(name), str):
            reason = "is not a string" if name in case else "is missing"
            raise ValueError(f"case {number} of the field 'cases': {name!r} {reason}")
        check_well_formed(f"case {number}", case[name])
    return Case(case["input"], case["output"])


def _compare(rule: str, folder: Path) -> Compare | Checker:
    file, colon, function = rule.rpartition(":")
    if colon and file.endswith(".py"):
        path = folder / file
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the field 'compare': {file} lies outside the benchmark's folder")
        return Checker(_checker_source(path, function), function)
    if rule in RULES:
        return cast(Compare, rule)
    raise ValueError(unknown_clause("rule of 'compare'", rule, [*RULES, "FILE.py:FUNCTION"]))


def _checker_source(path: Path, function: str) -> str:
    try:
        source = read_text(path)
        tree = ast.parse(source)
    except BenchmarkError as error:
        raise ValueError(f"the field 'compare': {str(error).rstrip('.')}") from error
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"the field 'compare': {path} does not compile ({error})") from error
    if function not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
        raise ValueError(f"the field 'compare': {path} defines no function {function!r}")
    return source
