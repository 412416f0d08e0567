"""The grammar behind the embedded problems: it is what wrote them, and its lessons are about other problems."""

import itertools
import json
import random
import re
from pathlib import Path

from benchmarks.mini import BENCHMARK
from scripts.make_mini import rows
from scripts.mini.behaviour import outputs
from scripts.mini.catalogue import families
from scripts.mini.checks import answers, wrong_programs
from scripts.mini.choices import resolve, right, single_slips, slipping
from scripts.mini.grammar import tasks
from scripts.mini.inputs import arguments
from scripts.mini.lessons import Habits, lessons
from scripts.mini.split import split

SPLIT = split()
PROBLEMS_FILE = Path("benchmarks/mini/problems.jsonl")


def wording(prompt: str) -> str:
    """The docstring, with its constants taken out."""
    return re.sub(r"\d+", "K", prompt.split('"""')[1])


def test_choice_points_nest_and_the_first_alternative_is_right():
    text = "total ‹+=|-=› x ‹if x ‹>|>=› 0|›"
    assert right(text) == "total += x if x > 0"
    assert set(single_slips(text)) == {"total -= x if x > 0", "total += x if x >= 0", "total += x "}
    assert resolve(text, lambda size, classic: size - 1) == "total -= x "
    assert slipping(text, 0.0, 0.0, random.Random(0)) == right(text)


def test_the_problems_file_is_what_the_grammar_writes():
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    assert PROBLEMS_FILE.read_text(encoding="utf-8") == written


def test_every_way_to_write_a_problem_is_right():
    for task in SPLIT.problems:
        inputs = arguments(task.parameters, task.reach)
        assert len({outputs(task.prompt + right(body), task.entry_point, inputs) for body in task.bodies}) == 1


def test_no_lesson_asks_what_a_problem_asks():
    questions = {wording(problem.prompt) for problem in BENCHMARK.problems()}
    some = itertools.islice(lessons(SPLIT, Habits(), random.Random(1)), 3000)
    taught = {wording(lesson.prompt) for lesson in some}
    assert len(taught) > 1000
    assert not questions & taught
    assert not any(SPLIT.may_teach(task) for task in SPLIT.problems)


def test_no_lesson_behaves_like_a_problem_under_another_name():
    rng = random.Random(2)
    drawn = [task for family in families() for task in tasks(family, rng) if SPLIT.may_teach(task)]
    behaviours = {(task.parameters, task.reach, answers(task)) for task in SPLIT.problems}
    assert len(drawn) > 4000
    assert not any((task.parameters, task.reach, answers(task)) in behaviours for task in drawn)


def test_no_slip_survives_the_tests():
    tests = {problem.prompt: problem.tests for problem in BENCHMARK.problems()}
    for task in SPLIT.problems:
        inputs = arguments(task.parameters, task.reach)
        meant = outputs(task.prompt + right(task.bodies[0]), task.entry_point, inputs)
        for program in wrong_programs(task):
            if outputs(program, task.entry_point, inputs) != meant:
                assert not _passes(program, tests[task.prompt], task.entry_point), program


def _passes(program: str, tests: str, entry_point: str) -> bool:
    source = f"{program}\n{tests}\ndef verdict():\n    check({entry_point})\n    return True\n"
    return outputs(source, "verdict", [()]) == ("bool True",)
