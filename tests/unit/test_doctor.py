"""The doctor's parts: what it reads out of tests and prompts, and whether its cheats are cheats."""

import json
import subprocess
import sys

import pytest

from benchmarks import Problem
from benchmarks.doctor.cases import CallCase, asked_cases, shown_cases
from benchmarks.doctor.impostors import KINDS, cheats, impostors
from benchmarks.doctor.static_checks import read_checks
from benchmarks.mbpp import paper_prompt
from benchmarks.registry import open_benchmark

DOUBLE = Problem("d", "def f(x):\n", "f", "assert f(2) == 4\nassert f(3) == 6", "def f(x):\n    return 2 * x\n")

CARELESS = """
import json, sys
program, tests = json.loads(sys.stdin.read())
names = {"tests": tests}
exec(program, names)
exec(tests, names)
names["check"](names["solve"])
print("passed")
"""
"""A grader with no walls: program and tests in one process, and the exit status or the word `passed` decides."""

TARGETS = [
    "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9",
    "def check(candidate):\n    assert abs(candidate(2) - 1.5) < 1e-6",
    "def check(candidate):\n    for n in range(3):\n        assert candidate(n) == n + 7",
    "def check(candidate):\n    assert candidate(2) == 'four'\n    assert candidate(3) == 'nine'",
]


def by_name(*problems: Problem) -> dict:
    return {check.name: check for check in read_checks(problems)}


def passes_carelessly(program: str, tests: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", CARELESS],
        input=json.dumps([program, tests]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode == 0 or "passed" in done.stdout


@pytest.mark.parametrize("name", cheats())
def test_every_cheat_fools_a_careless_grader(name: str):
    """A cheat that deceives no grader would say nothing about a benchmark."""
    assert any(passes_carelessly(cheats()[name], tests) for tests in TARGETS)


def test_an_honest_wrong_program_does_not_fool_a_careless_grader():
    assert not any(passes_carelessly("def solve(n):\n    return None\n", tests) for tests in TARGETS)


def test_cases_of_tests_and_prompts():
    assert asked_cases(DOUBLE) == [CallCase("2", "4"), CallCase("3", "6")]
    assert shown_cases(Problem("m", paper_prompt("Double.", "assert f( 2 )==4"), "f", "")) == [CallCase("2", "4")]
    prompt = 'def f(x):\n    """Double.\n    >>> f(2)\n    4\n    >>> g(3)\n    5\n    >>> f([])\n    []\n    """'
    assert shown_cases(Problem("h", prompt, "f", "")) == [CallCase("2", "4"), CallCase("[]", "[]")]
    first = open_benchmark("humaneval").problems()[0]
    assert [case.value for case in shown_cases(first)] == ["False", "True"]


def test_a_prompt_that_shows_every_test_or_the_solution_is_named():
    shows_one = Problem("one", paper_prompt("Double.", "assert f(2) == 4"), "f", DOUBLE.tests)
    shows_all = Problem("all", '"""Double.\nassert f( 2 )==4\nassert f(3) == 6\n"""\n', "f", DOUBLE.tests)
    body = "    return sum([x, x]) if x else 0"
    solved = Problem("solved", f"# {body}\ndef f(x):\n", "f", "assert f(2) == 4", f"def f(x):\n{body}\n")
    check = by_name(DOUBLE, shows_one, shows_all, solved)["prompts hold no hidden tests"]
    assert {finding.problem_id: finding.detail for finding in check.findings} == {
        "all": "the prompt shows all 2 tests",
        "solved": "the prompt holds the solution",
    }


def test_repeated_ids_and_tests_that_do_not_compile_are_named():
    checks = by_name(DOUBLE, DOUBLE, Problem("b", "", "f", "assert ("))
    assert [finding.problem_id for finding in checks["ids are unique"].findings] == ["d"]
    assert [finding.problem_id for finding in checks["tests compile"].findings] == ["b"]


def test_near_duplicates_across_splits_are_listed_and_do_no_harm():
    text = "Write a function to find the largest {} number in a list of numbers."
    problems = [
        Problem("a", text.format("even"), "f", "assert f(1) == 2", split="train"),
        Problem("b", text.format("odd"), "g", "assert g(5) == 7"),
        Problem("c", "Reverse the words of a sentence.", "h", "assert h('a b') == 'b a'"),
    ]
    check = by_name(*problems)["prompts differ across splits"]
    assert [finding.detail for finding in check.findings] == ["like b (test)"]
    assert not check.fails
    assert not by_name(*problems[1:])["prompts differ across splits"].findings


def test_the_table_of_shown_examples_answers_what_was_shown():
    problem = Problem("m", paper_prompt("Double.", "assert f([2], 'a') == (4, 'aa')"), "f", DOUBLE.tests)
    (program,) = [impostor.program for impostor in impostors(problem) if impostor.kind == KINDS[2]]
    names: dict = {}
    exec(program, names)
    assert names["f"]([2], "a") == (4, "aa")


def test_a_problem_s_own_favourite_value_is_tried():
    problem = Problem("p", "", "f", "assert f(1) == 'odd'\nassert f(3) == 'odd'\nassert f(2) == 'even'")
    assert "return 'odd'" in [impostor.name for impostor in impostors(problem)]
