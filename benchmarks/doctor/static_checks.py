"""Checks that run no program: ids, tests, prompts, near-duplicates."""

import ast
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from benchmarks.data_files import long_integers
from benchmarks.doctor.cases import assertions, shown_cases
from benchmarks.doctor.check import Check, Finding
from benchmarks.doctor.program_impostors import cases_in_prompt
from benchmarks.duplicates import group_near_duplicates
from benchmarks.problem import Problem
from benchmarks.python_source import parse
from sandbox.cases import cases_of, tests_trouble
from sandbox.tests_reading import TextOfTests

GIVEAWAY = 20
"""A prompt may hold a shorter solution by chance. In characters."""


def read_checks(problems: Sequence[Problem]) -> Iterator[Check]:
    """All checks that need no sandbox."""
    yield _unique_ids(problems)
    yield _check_all("tests compile", problems, _tests_trouble)
    yield _check_all("prompts hold no hidden tests", problems, _given_away)
    for field in ("prompt", "tests"):
        yield _near_duplicates(problems, field)


def _unique_ids(problems: Sequence[Problem]) -> Check:
    repeated = [name for name, count in Counter(problem.id for problem in problems).items() if count > 1]
    return Check("ids are unique", len(problems), tuple(Finding(name, "is used more than once") for name in repeated))


def _check_all(name: str, problems: Sequence[Problem], trouble: Callable[[Problem], str]) -> Check:
    with long_integers():  # tests are parsed, and written again
        findings = [Finding(problem.id, text) for problem in problems if (text := trouble(problem))]
    return Check(name, len(problems), tuple(findings))


def _tests_trouble(problem: Problem) -> str:
    if problem.language:
        return tests_trouble(problem.tests)
    if not (parse(problem.tests) and parse(problem.setup)):
        return "the tests or their setup do not compile"
    text = TextOfTests(problem.tests, problem.setup, problem.entry_point)
    return "the tests call nothing, so every program would pass" if text.calls_nothing else ""


def _given_away(problem: Problem) -> str:
    """The reason why the prompt reveals the solution or all tests; "" where it does not."""
    body = _body(problem)
    if len(body) >= GIVEAWAY and body in problem.prompt:
        return "the prompt holds the solution"
    if problem.language:
        count = len(cases_of(problem.tests))
        return f"the prompt shows all {count} cases" if len(cases_in_prompt(problem)) == count else ""
    tested = _questions(problem)
    shown = {_plain(f"{problem.entry_point}({case.arguments}) == {case.value}") for case in shown_cases(problem)}
    shown |= {_plain(line.strip().removeprefix("assert ")) for line in problem.prompt.split("\n")}
    return f"the prompt shows all {len(tested)} tests" if tested and tested <= shown else ""


def _body(problem: Problem) -> str:
    """The part of the solution after the prompt, or else after the first line of the function."""
    if problem.solution.startswith(problem.prompt):
        return problem.solution.removeprefix(problem.prompt).strip()
    _, definition, rest = problem.solution.partition(f"def {problem.entry_point}(")
    return rest.partition("\n")[2].strip() if definition else problem.solution.strip()


def _questions(problem: Problem) -> set[str]:
    """The assertions about the program, as source; assertions that do not name it are left out."""
    names = {problem.entry_point, "candidate"}
    questions = set()
    for node in assertions(problem.tests):
        called = [name for name in ast.walk(node.test) if isinstance(name, ast.Name) and name.id in names]
        for name in called:
            name.id = problem.entry_point
        if called:
            questions.add(ast.unparse(node.test))
    return questions


def _plain(source: str) -> str:
    """An expression in the form of `ast.unparse`, so that spacing and quotes do not matter."""
    tree = parse(source)
    return ast.unparse(tree) if tree else source


def _near_duplicates(problems: Sequence[Problem], field: str) -> Check:
    """Near-duplicates across splits: a probe trained on one would be tested on the other."""
    splits = {problem.id: problem.split for problem in problems}
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for name, number in group_near_duplicates({problem.id: getattr(problem, field) for problem in problems}).items():
        groups[number].append(name)
    duplicates = [group for group in groups.values() if len(group) > 1]
    findings = [
        Finding(group[0], "like " + ", ".join(f"{name} ({splits[name]})" for name in group[1:]))
        for group in duplicates
        if len({splits[name] for name in group}) > 1
    ]
    name = {"prompt": "prompts", "tests": "tests"}[field]
    note = f"groups of near-duplicates: {len(duplicates)}, {len(findings)} of them across splits" if duplicates else ""
    return Check(f"{name} differ across splits", len(problems), tuple(findings), note=note, must_hold=False)
