"""Problems whose tests cannot be graded in a separate process without a reference.

Tests receive the values that a program returns, not the program's objects. Where tests use a method, an attribute, a
coroutine or an argument that the program changes, running the reference shows that the objects are needed.
"""

import ast
import re
from collections.abc import Sequence

from benchmarks.problem import Problem
from benchmarks.python_source import parse

ADVICE = "add a reference as 'solution', without which right programs may fail"


def needed_reference(problem: Problem) -> str:
    """Return the reason why a problem without a reference needs one; "" where it has one, or needs none."""
    if problem.solution or problem.language or getattr(problem, "mode", ""):
        return ""
    name = re.escape(problem.entry_point)
    for keyword, noun in (("class", "a class"), (r"async[ \t]+def", "a coroutine")):
        if re.search(rf"^{keyword}[ \t]+{name}\b", problem.prompt, re.MULTILINE):
            return f"has no 'solution', and its tests use {noun}"
    tree = parse(problem.tests)
    use = _use_of_objects(tree, {problem.entry_point, "candidate"}) if tree else ""
    return f"has no 'solution', and its tests use {use}" if use else ""


def warn_of_needed_references(problems: Sequence[Problem]) -> list[str]:
    """Return one sentence about the problems that need a reference and have none; [] where every problem is fine."""
    lacking = [problem.id for problem in problems if needed_reference(problem)]
    if not lacking:
        return []
    subject = f"{lacking[0]} has" if len(lacking) == 1 else f"{len(lacking)} problems ({lacking[0]} first) have"
    return [f"{subject} no 'solution', and tests that use a class, a coroutine or a changed argument: {ADVICE}."]


def _use_of_objects(tree: ast.Module, names: set[str]) -> str:
    """The kind of object of the program that tests use; "" where they use values alone."""
    objects = {target for node in ast.walk(tree) for target in _results(node, names)}
    for node in ast.walk(tree):
        match node:
            case ast.Await() | ast.Attribute(value=ast.Name(id="asyncio")):
                return "a coroutine"
            case ast.Attribute(value=value) if _is_call(value, names) and node.attr not in _VALUE_METHODS:
                return f"the attribute {node.attr!r} of its result"
            case ast.Attribute(value=ast.Name(id=holder)) if holder in objects and node.attr not in _VALUE_METHODS:
                return f"the attribute {node.attr!r} of its result"
            case ast.Expr(value=ast.Call(args=[_, *_]) as call) if _is_call(call, names):
                return "an argument that the program changes"
    return ""


_VALUE_METHODS = frozenset(name for kind in (str, bytes, list, dict, set, tuple, int, float) for name in dir(kind))


def _is_call(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _results(node: ast.AST, names: set[str]) -> list[str]:
    """The names that are assigned a result of the program."""
    if isinstance(node, ast.Assign) and _is_call(node.value, names):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []
