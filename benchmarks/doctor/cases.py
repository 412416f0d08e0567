"""The single calls that tests and prompts state: `f(2) == 4`, as an assertion or as an example in a docstring."""

import ast
import doctest
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.problem import Problem
from benchmarks.python_source import parse


@dataclass(frozen=True, slots=True)
class CallCase:
    """A call and the value it must give, both as source."""

    arguments: str  # "2, 'a'"
    value: str

    @property
    def is_literal(self) -> bool:
        """True if the value is a literal, which needs no code to be run."""
        try:
            ast.literal_eval(self.value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return False
        return True


def asked_cases(problem: Problem) -> list[CallCase]:
    """The assertions of the tests that are of the form `f(...) == value`."""
    return [case for node in assertions(problem.tests) if (case := call_case(node.test, problem.entry_point))]


def shown_cases(problem: Problem) -> list[CallCase]:
    """The assertions and docstring examples that the prompt shows."""
    shown = [case for node in _shown_assertions(problem.prompt) if (case := call_case(node.test, problem.entry_point))]
    return [*shown, *_examples(problem)]


def assertions(source: str) -> list[ast.Assert]:
    """Every assertion of a source, however deep."""
    tree = parse(source)
    return [node for node in ast.walk(tree) if isinstance(node, ast.Assert)] if tree else []


def _shown_assertions(prompt: str) -> Iterator[ast.Assert]:
    for line in prompt.split("\n"):
        if line.strip().startswith("assert"):
            yield from assertions(line.strip())


def _examples(problem: Problem) -> Iterator[CallCase]:
    """Examples as Python's own prompt shows them: `>>> f(2)` and the value below."""
    try:
        examples = doctest.DocTestParser().get_examples(problem.prompt)
    except ValueError:
        return
    for example in examples:
        call, value = parse(example.source), example.want.split("\n")[0].strip()
        if call and call.body and isinstance(call.body[0], ast.Expr):
            arguments = _arguments(call.body[0].value, problem.entry_point)
            if arguments is not None and parse(value):
                yield CallCase(arguments, value)


def call_case(test: ast.expr, entry_point: str) -> CallCase | None:
    """The case that a tested expression states; None for one of another form."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        arguments = _arguments(test.left, entry_point)
        return None if arguments is None else CallCase(arguments, ast.unparse(test.comparators[0]))
    return None


def _arguments(call: ast.expr, entry_point: str) -> str | None:
    """The arguments of a call of the function asked for; None for anything else."""
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        return None
    if call.func.id not in {entry_point, "candidate"} or call.keywords:
        return None
    return ", ".join(ast.unparse(argument) for argument in call.args)
