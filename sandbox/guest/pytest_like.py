"""Tests that wait for a runner: `check(candidate)`, unittest's classes, and pytest's functions and classes.

Run here in the order in which they are defined; the first exception that leaves one is raised.
"""

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

TESTS = "<tests>"
"""The file name that the code of the tests has."""


class UnsupportedError(Exception):
    """The tests need what no mode has."""


def prepare(source: str) -> None:
    """Before the tests are loaded: keep them from running, and ending, everything by themselves."""
    if "unittest" in source:
        import unittest

        unittest.main = lambda *_, **__: None  # type: ignore[assignment]


def run(names: dict[str, Any], source: str, entry_point: str | None) -> None:
    """Run what the tests, loaded into `names`, only define. Raises what they raise, or UnsupportedError."""
    check = dict.get(names, "check")
    if entry_point and isinstance(check, types.FunctionType) and _is_of_tests(check):
        check(names[entry_point])
        return
    waiting = [(name, test) for name, test in list(names.items()) if _waits(name, test, names)]
    if not waiting:
        return
    called = _called_names(source)
    for name, test in waiting:
        if name not in called:
            for step in _steps(name, test):
                _finish(step())


def _is_of_tests(function: Any) -> bool:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return getattr(code, "co_filename", None) == TESTS


def _waits(name: str, value: Any, names: dict[str, Any]) -> bool:
    if isinstance(value, types.FunctionType):
        return name.startswith("test") and _is_of_tests(value)
    if not isinstance(value, type) or value.__module__ != names.get("__name__"):
        return False
    return _is_case(value) or (name.startswith("Test") and "__init__" not in vars(value))


def _is_case(value: type) -> bool:
    unittest = sys.modules.get("unittest")
    return unittest is not None and issubclass(value, unittest.TestCase)


def _called_names(source: str) -> set[str]:
    """The names that the tests use while they are loaded: such a test has run already."""
    import ast  # large, and only needed here

    names: set[str] = set()
    waiting: list[Any] = list(ast.parse(source).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.If) and any(
            isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test)
        ):
            continue
        if isinstance(node, ast.Name):
            names.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return names


def _steps(name: str, test: Any) -> Iterator[Callable[[], Any]]:
    if isinstance(test, types.FunctionType):
        yield _without_fixtures(name, test)
    elif _is_case(test):
        yield from _case_steps(test)
    else:
        yield from _class_steps(name, test)


def _without_fixtures(name: str, test: Callable[..., Any]) -> Callable[[], Any]:
    import inspect  # large, and only needed here

    needed = [
        parameter.name
        for parameter in inspect.signature(test).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise UnsupportedError(f"{name} needs the fixture {needed[0]!r}, and there are no fixtures here")
    return test


def _class_steps(name: str, kind: type) -> Iterator[Callable[[], Any]]:
    for method in [method for method in vars(kind) if method.startswith("test")]:
        instance = kind()
        yield getattr(instance, "setup_method", _nothing)
        yield _without_fixtures(f"{name}.{method}", getattr(instance, method))
        yield getattr(instance, "teardown_method", _nothing)


def _nothing() -> None:
    return None


def _case_steps(kind: Any) -> Iterator[Callable[[], Any]]:
    from unittest import SkipTest, TestLoader

    def debug(case: Any) -> Callable[[], Any]:
        def step() -> None:
            try:
                case.debug()
            except SkipTest:
                return

        return step

    yield kind.setUpClass
    for method in TestLoader().getTestCaseNames(kind):
        yield debug(kind(method))
    yield kind.tearDownClass
    yield kind.doClassCleanups


def _finish(result: Any) -> None:
    """Wait for a test that is a coroutine."""
    if isinstance(result, types.CoroutineType):
        import asyncio

        asyncio.run(result)
