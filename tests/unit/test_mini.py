"""The embedded problems: enough, right, told apart by their tests, and no two alike."""

import ast
from itertools import permutations

import pytest

from benchmarks import Problem
from benchmarks.mini import BENCHMARK
from scripts.mini.behaviour import outputs

PROBLEMS = BENCHMARK.problems()
CONSTANTS = ("None", "0", "1", "-1", "True", "False", '""', "[]", "{}")


def passes(program: str, problem: Problem) -> bool:
    """Return whether the program passes the problem's tests. The programs here are our own: no sandbox."""
    source = f"{program}\n{problem.tests}\ndef verdict():\n    check({problem.entry_point})\n    return True\n"
    return outputs(source, "verdict", [()]) == ("bool True",)


def parameters(problem: Problem) -> list[str]:
    """The names of the function's parameters."""
    function = ast.parse(problem.solution).body[0]
    assert isinstance(function, ast.FunctionDef)
    return [argument.arg for argument in function.args.args]


def test_there_are_enough_of_every_area():
    areas = [problem.id.split("/")[1] for problem in PROBLEMS]
    assert len(PROBLEMS) >= 150
    assert {area for area in areas if areas.count(area) >= 20} == {"strings", "lists", "arithmetic", "algorithms"}


def test_ids_prompts_and_solutions_are_unique():
    for field in ("id", "prompt", "solution", "tests"):
        assert len({getattr(problem, field) for problem in PROBLEMS}) == len(PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.id)
def test_the_reference_passes_and_trivial_programs_fail(problem: Problem):
    assert passes(problem.solution, problem)
    for value in (*CONSTANTS, *parameters(problem)):
        assert not passes(f"{problem.prompt}    return {value}\n", problem), value


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.id)
def test_the_prompt_is_a_signature_and_a_docstring_to_continue(problem: Problem):
    assert problem.solution.startswith(problem.prompt)
    assert problem.prompt.startswith(f"def {problem.entry_point}(")
    assert problem.prompt.endswith('"""\n')
    assert problem.tests.count("assert candidate(") >= 5


def test_no_problem_is_solved_by_the_solution_of_another():
    for problem, other in permutations(PROBLEMS, 2):
        if parameters(problem) == parameters(other):
            program = f"{other.solution}\n{problem.entry_point} = {other.entry_point}\n"
            assert not passes(program, problem), f"{other.id} solves {problem.id}"


def test_a_program_ends_where_the_next_top_level_statement_begins():
    problem = PROBLEMS[0]
    program = BENCHMARK.program(problem, problem.prompt, "    return 1\n\nprint(1)\n")
    assert program == problem.prompt + "    return 1\n"
