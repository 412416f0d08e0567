"""Endless loops are recognised by a state that returns, and no program that ends is ever taken for one."""

import ast
import copy
import os
import signal
import sys
from collections import defaultdict, deque

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.guest import endless
from sandbox.guest.loop_source import OpenLoopError, Source, read
from sandbox.guest.loop_state import Changes, UnknownStateError, state_of
from tests.loop_programs import ENDING, ENDLESS, FUELS, fuel

FILE = "program.py"
SECONDS = 60.0


def is_endless(source: str) -> bool:
    """Run a program, in a separate process and searched from its first line to its last."""
    pid = os.fork()
    if not pid:
        signal.alarm(30)
        endless.watch(source, FILE, may_print=False)
        code = compile(source, FILE, "exec")
        try:
            sys.settrace(endless.Search([], 0, SECONDS).trace)
            exec(code, {"__name__": "__main__"})
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    ending = os.waitstatus_to_exitcode(status)
    assert ending in (0, -endless.ENDLESS)
    return ending != 0


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_loops_are_recognised(name: str):
    assert is_endless(ENDLESS[name])


STATEMENTS = st.sampled_from(
    [
        "a = (a + 1) % 3",
        "a, b = b, a",
        "b = b * 1",
        "c = [a, b]",
        "c = sorted(c)",
        "t += 1",
        "if a > b:\n        a = b",
        "for i in range(2):\n        b = i",
        "d = {a: c}",
        "s = str(a) + 'x'",
        "c = [x % 2 for x in c]",
        "pass",
    ]
)


@pytest.mark.parametrize("name", FUELS)
@given(st.lists(STATEMENTS, max_size=4), st.lists(STATEMENTS, max_size=3), st.sampled_from([40, 300]))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_loops_that_end_are_not_endless(name: str, before: list[str], after: list[str], n: int):
    setup, spent = fuel(name, n)
    body = "\n    ".join([*before, f"if {spent}:\n        break", *after])
    assert not is_endless(f"{setup}\na, b, c, d, s, t = 1, 2, [], {{}}, '', 0\nwhile True:\n    {body}\n")


@pytest.mark.parametrize("name", ENDING)
def test_programs_that_end_are_not_endless(name: str):
    assert not is_endless(ENDING[name])


@given(st.integers(2, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_verdict_on_any_map_of_numbers(modulus: int, factor: int, summand: int, start: int, goal: int):
    """Iterating a map ends where it meets the goal, which is known by trying every state that there is."""
    x, meets = start, False
    for _ in range(modulus + 2):
        meets = meets or x == goal
        x = (x * factor + summand) % modulus
    source = f"x = {start}\nwhile x != {goal}:\n    x = (x * {factor} + {summand}) % {modulus}"
    assert is_endless(source) is not meets


SHARED: list[int] = []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", 1),
        ([1], (1,)),
        ([[], []], [SHARED, SHARED]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (deque([1]), deque([1], 3)),
        (defaultdict(int, a=1), {"a": 1}),
        ([[1], 2], [[1, 2]]),
        (range(0, 300, 1000), range(0, 1, 1000)),
        (frozenset([1]), frozenset([1, 2]) - {2}),
    ],
)
def test_values_that_differ_have_different_states(one: object, other: object):
    assert state_of([one], {}, Changes()) != state_of([other], {}, Changes())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    )
)
def test_equal_values_have_equal_states(value: object):
    assert state_of([value], {}, Changes(sets=True)) == state_of([copy.deepcopy(value)], {}, Changes(sets=True))


@pytest.mark.parametrize("value", [float("nan"), iter([]), object(), SystemExit(), print, [lambda: 0], {1: iter(())}])
def test_values_without_a_state(value: object):
    with pytest.raises(UnknownStateError):
        state_of([value], {}, Changes())


def test_sets_that_change_have_no_state():
    state_of([{1}], {}, Changes())
    with pytest.raises(UnknownStateError):
        state_of([{1}], {}, Changes(sets=True))


def test_states_are_bounded():
    with pytest.raises(UnknownStateError):
        state_of([[0] * 1_000_000], {}, Changes())


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "with f: pass",
        "yield_ = (yield 1)",
        "x.y = 1",
        "x.__dict__",
        "x.read()",
        "a is b",
        "def f(): pass",
        "class A: pass",
        "async def f(): pass",
        "match a:\n    case 1: pass",
    ],
)
def test_code_that_does_more_than_compute(source: str):
    with pytest.raises(OpenLoopError):
        read(ast.parse(source).body)


@pytest.mark.parametrize(
    ("source", "anchors"),
    [
        ("while a:\n    b = 1\n    c()", {1, 2, 3}),
        ("while (a and\n       b):\n    c = 1", {3}),
        ("while a:\n    for i in b:\n        c = 1\n    d = 1", {1, 4}),
        ("while a:\n    f(1,\n      2)\n    g = 1", {1, 4}),
        ("while a:\n    f([i for i in b])\n    if c:\n        d = 1", {1, 3, 4}),
        ("while a:\n    x = 1; y = [i for i in b]", {1}),
        ("while a:\n    with b:\n        c = 1\n    while d:\n        e = 1", {1, 4, 5}),
        ("while a: b = 1", {1}),
        ("while a: b = [i for i in c]", set()),
    ],
)
def test_places_where_a_state_may_be_read(source: str, anchors: set[int]):
    loop = Source(source, FILE).loops(compile(source, FILE, "exec"))[0]
    assert loop.anchors == anchors


@pytest.mark.parametrize(
    "word", ["import sys, gc", "open('x')", "locals()", "__del__", "weakref", "signal", "threading", "sys.settrace"]
)
def test_programs_that_something_outside_may_change_are_left_alone(word: str):
    assert not is_endless(f"# {word}\nfor i in range(9):\n    n = 300\n    while n: n -= 1")
    endless.watch("while True: pass", FILE, may_print=True)
    endless.ignore()
    endless.watch(f"# {word}\nwhile True: pass", FILE, may_print=True)
    assert not endless._Program.source
