"""The tests of a stdin/stdout program: what it reads, what it should print, and the rule that compares the two."""

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

Compare = Literal["tokens", "lines", "numbers"]
"""The rule that compares outputs.

- "tokens": split at white space, the same tokens.
- "lines": the same lines, but for white space at their ends and empty lines at the end.
- "numbers": as "tokens", but numbers may differ by 1e-6, absolutely or relative to the expected one.
"""


class Case(NamedTuple):
    """One run of a program."""

    input: str  # on standard input
    output: str  # what is expected on standard output


class Checker(NamedTuple):
    """A benchmark's function that decides: `function(input, output, expected)`, all texts, is true or false.

    It runs with the tests, and one that raises an Exception, or exits, has refused the output.
    """

    source: str  # Python
    function: str


def program_tests(cases: Sequence[Case], compare: Compare | Checker = "tokens") -> str:
    """The `tests` of a Job whose program is run as a whole: one text, because a job's tests are text."""
    checker = compare if isinstance(compare, Checker) else Checker("", "")
    rule = "checker" if isinstance(compare, Checker) else compare
    fields = {"cases": cases, "compare": rule, "checker": checker.source, "function": checker.function}
    return json.dumps(fields)


def cases_of(tests: str) -> list[Case]:
    """The cases in what `program_tests` made."""
    return [Case(*pair) for pair in json.loads(tests)["cases"]]


def tests_trouble(tests: str) -> str:
    """Return the fault in the `tests` of a stdin/stdout program; "" for no fault."""
    try:
        fields = json.loads(tests)
        cases, checker = [Case(*pair) for pair in fields["cases"]], fields["checker"]
        compile(checker, "<checker>", "exec")
    except (ValueError, TypeError, KeyError, SyntaxError) as error:
        return f"the cases cannot be read ({type(error).__name__}: {error})"
    return "" if cases else "there is no case"
