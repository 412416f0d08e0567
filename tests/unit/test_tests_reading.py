"""Facts that are read in the text of tests before anything runs."""

import pytest

from benchmarks.jsonl import problem_of_row
from benchmarks.problem import Problem, asked_names
from sandbox import Limits
from sandbox.tests_reading import TextOfTests


def read(tests: str, setup: str = "") -> TextOfTests:
    return TextOfTests(tests, setup, "f")


@pytest.mark.parametrize(
    "tests",
    [
        "assert f([1, 2]) == 3",
        "assert sorted(f([2, 1])) == [1, 2] and f(set([1]))[0] == 2",
        "def check(candidate):\n    assert candidate([1]) == [1], 'text'\n    assert not candidate({})",
        "assert abs(f(2.0) - 1) < 1e-9\nassert f(f([1])) == [1]",
        "assert f([1]) is None\nassert f(x=[1]) != 2",
        "def check(g):\n    assert g([1]) == [1]",
    ],
)
def test_tests_that_use_everything_up_cannot_tell_copies(tests: str):
    assert not read(tests).sees_copies


@pytest.mark.parametrize(
    "tests",
    [
        "xs = [1]\nassert f(xs) == 1",
        "r = f([1])\nassert r == 1",
        "def check(candidate):\n    for x in [[1]]:\n        assert candidate(x) == 1",
        "f([1]).append(2)\nassert f([1]) == [1]",
        "assert f([1]) is f([1])",
        "assert all(map(f, [[1]]))",
        "import helpers\nassert helpers.same(f([1]), [1])",
        "def check(g):\n    xs = []\n    assert g(xs) == 1",
    ],
)
def test_tests_that_keep_something_can(tests: str):
    assert read(tests).sees_copies


@pytest.mark.parametrize(
    ("tests", "name"),
    [
        ("import sys\nsys.setrecursionlimit(50)\nassert f(1)", "setrecursionlimit"),
        ("from contextlib import redirect_stdout\nassert f(1)", "redirect_stdout"),
        ("import tracemalloc as t\nassert f(1)", "tracemalloc"),
        ("from unittest.mock import patch\nassert f(1)", "patch"),
        ("import builtins\nassert f(1)", "builtins"),
        ("import os\nassert os.environ\nassert f(1)", "environ"),
        ("import os\nassert f(os.path.join('a', 'b'))", ""),
        ("import math, random\nassert f(math.pi)", ""),
        ("assert f('stdout') == 'patch'", ""),
    ],
)
def test_tests_that_watch_their_interpreter(tests: str, name: str):
    assert read(tests).watches == name


REFERENCE = "def f(x): return x\ndef g(x): return -x\ndef near(a, b): return a == b\nclass Box: pass\nEPS = 1"


@pytest.mark.parametrize(
    ("tests", "names"),
    [
        ("assert f(1) == 1\nassert g(1) == -1", ("g",)),
        ("assert near(f(1), 1)\nassert f(1) < EPS", ()),
        ("x = f(2)\nassert near(x, 2)", ()),
        ("assert f(g(1)) == -1", ()),
        ("r = g(1)\nassert f(1) == 1\nassert r == -1", ("g",)),
        ("def check(candidate):\n    assert near(candidate(1), 1)\n    b = Box()\n    assert b", ("Box",)),
        ("class T:\n    def test(self):\n        self.assertEqual(g(1), -1)", ("g",)),
    ],
)
def test_functions_that_are_under_test_too(tests: str, names: tuple[str, ...]):
    assert read(tests).under_test(REFERENCE) == names


def test_tests_that_drop_results_look_at_arguments():
    assert read("xs = [2, 1]\nf(xs)\nassert xs == [1, 2]").drops_results
    assert read("def check(candidate):\n    xs = [2]\n    candidate(xs)\n    assert xs").drops_results
    assert read("xs = [2, 1]\nassert f(xs) is None\nassert xs == [1, 2]").drops_results
    assert not read("assert f([1]) == 1").drops_results
    assert not read("try:\n    f([1])\nexcept ValueError:\n    pass").drops_results


@pytest.mark.parametrize(
    ("tests", "calls"),
    [
        ("def check(candidate):\n    assert candidate(1)", True),
        ("def test_one():\n    assert f(1)", True),
        ("import unittest\nclass A(unittest.TestCase):\n    def test(self): self.assertTrue(f(1))", True),
        ("class TestA:\n    def test(self): assert f(1)", True),
        ("for x in [1]:\n    assert f(x)", True),
        ("X = 1", False),
        ("def helper(x):\n    assert f(x)", False),
        ("class A:\n    def run(self): assert f(1)", False),
        ("def main():\n    assert f(1)\nif __name__ == '__main__':\n    main()", False),
    ],
)
def test_tests_that_call_nothing(tests: str, calls: bool):
    assert read(tests).calls_nothing is not calls


def test_free_names_and_objects():
    assert read("assert near(f(1), EPS, len([]))\nEPS = 1").free_names() == {"near"}
    assert read("c = f()\nc.up()\nassert c.value == 1").asks_objects
    assert not read("r = f()\nassert r.upper() == 'A'").asks_objects


@pytest.mark.parametrize(
    ("prompt", "solution", "names"),
    [
        ('def f(x):\n    """Text."""\n', "", ("f",)),
        ('def help(x):\n    return x\n\ndef f(x):\n    """Text."""\n', "", ("f",)),
        ("def f(x):\n    pass\n\ndef g(x):\n    ...\n", "", ("f", "g")),
        ('class A:\n    """Text."""\n    def m(self):\n', "", ("A",)),
        ("Write `enc` and dec(s).", "def enc(s): pass\ndef dec(s): pass\ndef near(a): pass", ("enc", "dec")),
        ("Points near zero.", "def near(a): pass", ()),
    ],
)
def test_names_that_a_prompt_asks_for(prompt: str, solution: str, names: tuple[str, ...]):
    assert asked_names(prompt, solution) == names


ROW = {"id": "a/1", "prompt": "def f(x):\n", "entry_point": "f", "tests": "assert f(1) == 1"}


def test_a_problem_may_name_its_mode():
    job = problem_of_row({**ROW, "mode": "shared"}).job("", Limits())
    assert job.forced == "shared"
    assert job.asked == ("f",)
    with pytest.raises(ValueError, match="did you mean 'shared'"):
        problem_of_row({**ROW, "mode": "share"})


def test_tests_that_call_nothing_are_refused():
    with pytest.raises(ValueError, match="calls nothing, so every program would pass"):
        problem_of_row({**ROW, "tests": "X = 1"})


def test_a_class_in_the_prompt_may_answer_with_objects():
    problem = Problem("a/1", "class Box:\n    pass\n", "Box", "assert Box()")
    assert problem.job("", Limits()).objects == ("*",)
    assert Problem("a/1", "def f():\n", "f", "assert f()").job("", Limits()).objects == ()
