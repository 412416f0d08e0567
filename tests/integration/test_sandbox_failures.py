"""A failed assertion's detail: the values that it names, and what the program answered last."""

import pytest

from sandbox import Job, Outcome, Sandbox, Status
from sandbox.cases import program_tests

HOSTILE = "\x1b[31m</script><b>\u202e"
POINT = "class P:\n    def __init__(self, x): self.x = x\n    def up(self, n): return self.x + n"

CASES = {
    "an assertion of a call": ("def f(a, b): return a * b", "assert f(2, 3) == 5", "f(2, 3) returned 6"),
    "an assertion over two lines": (
        "def f(a, b): return a * b",
        "assert f(2,\n    3) == 5, 'wrong'",
        "assert f(2, 3) == 5, 'wrong' # f(2, 3) returned 6",
    ),
    "check(candidate)": (
        "def f(a, b): return [a * b]",
        "def check(candidate):\n    out, exp = candidate(2, b=3), [5]\n    assert out == exp\n",
        "assert out == exp # out = [6]; exp = [5]; f(2, b=3) returned [6]",
    ),
    "a loop over cases": (
        "def f(a): return a",
        "for x, y in [(1, 1), (2, 3)]:\n    assert f(x) == y, f'wrong for {x}'",
        "x = 2; y = 3; f(2) returned 2; wrong for 2",
    ),
    "unittest": (
        "def f(a): return a",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 2)",
        "self.assertEqual(f(1), 2) # f(1) returned 1; 1 != 2",
    ),
    "a changed argument is not shown as the one given": (
        "def f(a): a.sort(); return a",
        "given = [3, 1]\nassert f(given) == [3, 1]",
        "given = [1, 3]; f(...) returned [1, 3]",
    ),
    "text that would command a terminal": (
        f"def f(a): return {HOSTILE!r}",
        "assert f(2) == 5",
        "f(2) returned '\\x1b[31m</script><b>\\u202e'",
    ),
    "a long answer": ("def f(a): return list(range(10**5))", "assert f(2) == 5", "18, 19, ...]"),
    "a long text": ("def f(a): return 'x' * 10**6", "assert f(2) == 5", "xxx'..."),
    "a large integer": ("def f(a): return 10**5000", "assert f(2) == 5", "<int of 16,610 bits>"),
    "a deep answer": ("def f(a):\n    for _ in range(50): a = [a]\n    return a", "assert f(2) == 5", "[[[[[...]]]]]"),
    "a container of the library": (
        "from collections import *\ndef f(a): return [Counter('aab'), deque([(1,)]), {1: frozenset()}]",
        "assert f(2) == 5",
        "[Counter({'a': 2, 'b': 1}), deque([(1,)]), {1: frozenset()}]",
    ),
    "a subclass that says something else": (
        "class I(int):\n    def __repr__(self): return 'evil'\ndef f(a): return I(3)",
        "assert f(1) == 4",
        "f(1) returned 3",
    ),
}


def run_one(sandbox: Sandbox, job: Job) -> Outcome:
    """Return the outcome of one job."""
    ((_, outcome),) = sandbox.run([job])
    return outcome


@pytest.mark.parametrize(("program", "tests", "text"), CASES.values(), ids=CASES.keys())
def test_the_value_that_came_back(any_sandbox: Sandbox, program: str, tests: str, text: str):
    outcome = run_one(any_sandbox, Job("one", program, tests, "f"))
    assert outcome.status is Status.FAILED
    assert text in outcome.detail
    assert outcome.detail.isprintable()
    assert len(outcome.detail) < 1000


def test_an_exception_names_the_call(any_sandbox: Sandbox):
    outcome = run_one(any_sandbox, Job("one", "def f(a): return 1 / a", "assert f(1) == 1\nassert f(0) == 1", "f"))
    assert (outcome.status, outcome.detail) == (Status.ERROR, "ZeroDivisionError: division by zero # f(0)")


def test_an_exception_of_the_tests_names_the_answer(any_sandbox: Sandbox):
    outcome = run_one(any_sandbox, Job("one", "def f(a): return None", "assert abs(f(1) - 2) < 1e-6", "f"))
    text = "TypeError: unsupported operand type(s) for -: 'NoneType' and 'int' # f(1) returned None"
    assert (outcome.status, outcome.detail) == (Status.ERROR, text)


def test_names_in_a_mapping_of_the_tests(any_sandbox: Sandbox):
    tests = (
        "from collections import UserDict\nclass M(type):\n    def __prepare__(*_):\n        return UserDict()\n"
        "    def __new__(*_):\n        return None\nclass C(metaclass=M):\n    got = f(1)\n    assert got == 2"
    )
    outcome = run_one(any_sandbox, Job("one", "def f(a): return a", tests, "f"))
    assert (outcome.status, outcome.detail) == (Status.FAILED, "assert got == 2 # f(1) returned 1")


def test_an_object_that_may_be_asked_is_not_asked_for_the_detail(any_sandbox: Sandbox):
    job = Job("one", POINT, "p = P(3)\nassert p.up(1) == 5", "P", mode="live", objects=("*",))
    assert run_one(any_sandbox, job).detail == "assert p.up(1) == 5 # .up(1) returned 4"
    endless = f"{POINT}\n    def __repr__(self):\n        while True: pass"
    outcome = run_one(any_sandbox, Job("one", endless, "assert P(3) is None", "P", mode="live", objects=("*",)))
    assert (outcome.status, outcome.detail) == (Status.FAILED, "assert P(3) is None # P(3) returned <P>")


def test_the_shared_mode_names_the_assertion(any_sandbox: Sandbox):
    job = Job("one", "def f(a): return a", "got = f(1)\nassert got == 2, 'no'", "f", mode="shared")
    outcome = run_one(any_sandbox, job)
    assert (outcome.status, outcome.detail) == (Status.FAILED, "assert got == 2, 'no' # got = 1")


def test_a_whole_program_names_input_and_output(any_sandbox: Sandbox):
    job = Job("one", "print(input(), '\\x1b')", program_tests([("3\n", "4\n")]), language="python")
    outcome = run_one(any_sandbox, job)
    assert outcome.status is Status.FAILED
    assert "token 1 is '3', not '4' # input '3\\n'; output '3 \\x1b\\n'" in outcome.detail
