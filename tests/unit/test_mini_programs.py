"""The embedded whole programs: what ships is what it says it is."""

import json

import pytest

from benchmarks.doctor.impostors import KINDS, impostors
from benchmarks.mini_programs.check import divides
from benchmarks.registry import open_benchmark
from sandbox.cases import cases_of

NAMES = ["mini-programs", "mini-programs-js"]


@pytest.mark.parametrize("name", NAMES)
def test_ten_problems_with_references_and_hidden_cases(name: str):
    problems = open_benchmark(name).problems()
    assert len({problem.id for problem in problems}) == 10
    for problem in problems:
        cases = cases_of(problem.tests)
        assert len(cases) >= 5
        assert problem.solution
        assert cases[0].input.strip() in problem.prompt
        assert not any(case.input in problem.prompt for case in cases[1:] if len(case.input) > 4)


def test_every_rule_is_there():
    rules = {json.loads(problem.tests)["compare"] for problem in open_benchmark("mini-programs").problems()}
    assert rules == {"tokens", "lines", "numbers", "checker"}


def test_the_same_cases_in_every_language():
    one, other = (open_benchmark(name).problems() for name in NAMES)
    assert [problem.tests for problem in one] == [problem.tests for problem in other]
    assert all(problem.solution != twin.solution for problem, twin in zip(one, other, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_doctor_has_impostors_of_every_kind(name: str):
    problem = open_benchmark(name).problems()[0]
    assert {impostor.kind for impostor in impostors(problem)} == set(KINDS)


@pytest.mark.parametrize(("printed", "right"), [("3", True), ("5\n", True), ("1", False), ("15", False), ("4", False)])
def test_the_checker(printed: str, right: bool):
    assert divides("15\n", printed, "3\n") is right


def test_a_block_between_fences_is_the_program():
    completion = "Here:\n```js\nconsole.log(1)\n```"
    benchmark = open_benchmark("mini-programs-js")
    assert benchmark.program(benchmark.problems()[0], "", completion) == "console.log(1)\n"
