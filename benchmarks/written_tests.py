"""Tests that a model wrote for a function: the literal calls with literal answers among them, `assert f(2) == 4`.

Such a case runs nothing of what the model wrote, and one wrong answer counts only against it.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from benchmarks.doctor.cases import CallCase, call_case
from benchmarks.extraction import FUNCTION_STOPS, cut_at
from benchmarks.python_source import parse

PER_TEXT = 5
"""Assertions that count of one text, as in CodeT (arXiv 2207.10397): a long one repeats itself."""

LONGEST = 1000
"""Characters of a case: longer ones are no test of a small function."""


def written_cases(texts: Iterable[str], entry_point: str, most: int) -> list[tuple[CallCase, int]]:
    """Return the distinct cases in some texts with the number of texts that have each, the most frequent first."""
    counts: Counter[CallCase] = Counter()
    for text in texts:
        own = dict.fromkeys(_cases(text, entry_point))
        counts.update(list(own)[:PER_TEXT])
    return counts.most_common(most)


def _cases(text: str, entry_point: str) -> Iterator[CallCase]:
    """The cases of one text, which may begin in the middle of an assertion: `assert` is the end of many prompts."""
    for piece in f"assert {text.removeprefix('assert ')}".split("assert ")[1:]:
        statement = _first_statement(f"assert {cut_at(piece.strip(), FUNCTION_STOPS)}")
        case = call_case(statement.test, entry_point) if isinstance(statement, ast.Assert) else None
        if case and len(case.arguments) + len(case.value) <= LONGEST and case.is_literal and _is_literal(case):
            yield case


def _is_literal(case: CallCase) -> bool:
    return CallCase("", f"({case.arguments},)" if case.arguments else "()").is_literal


def _first_statement(source: str) -> ast.stmt | None:
    """The statement in the first lines; what follows may be anything."""
    lines = source.split("\n")[:20]
    for count in range(1, len(lines) + 1):
        tree = parse("\n".join(lines[:count]))
        if tree and tree.body:
            return tree.body[0]
    return None
