"""Checks that only read: ids, prompts, near-duplicates. No program is run."""

import ast
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from benchmarks.doctor.cases import assertions, parse, shown_cases
from benchmarks.doctor.check import Check, Finding
from benchmarks.doctor.stdio_impostors import shown_whole_cases
from benchmarks.duplicates import group_near_duplicates
from benchmarks.problem import Problem
from sandbox.cases import cases_of, tests_trouble
from sandbox.tests_reading import TextOfTests

GIVEAWAY = 20
"""Characters of a solution that a prompt may hold by chance."""


def read_checks(problems: Sequence[Problem]) -> Iterator[Check]:
    """All checks that need no sandbox."""
    yield _unique_ids(problems)
    yield _each("tests compile", problems, _tests_trouble)
    yield _each("prompts hold no hidden tests", problems, _given_away)
    for field in ("prompt", "tests"):
        yield _near_duplicates(problems, field)


def _unique_ids(problems: Sequence[Problem]) -> Check:
    repeated = [name for name, count in Counter(problem.id for problem in problems).items() if count > 1]
    return Check("ids are unique", len(problems), tuple(Finding(name, "stands more than once") for name in repeated))


def _each(name: str, problems: Sequence[Problem], trouble: Callable[[Problem], str]) -> Check:
    found = [Finding(problem.id, text) for problem in problems if (text := trouble(problem))]
    return Check(name, len(problems), tuple(found))


def _tests_trouble(problem: Problem) -> str:
    if problem.language:
        return tests_trouble(problem.tests)
    if not (parse(problem.tests) and parse(problem.setup)):
        return "the tests or their setup do not compile"
    text = TextOfTests(problem.tests, problem.setup, problem.entry_point)
    return "the tests call nothing, so every program would pass" if text.calls_nothing else ""


def _given_away(problem: Problem) -> str:
    """Whether the prompt holds the solution, or each and every test."""
    body = _body(problem)
    if len(body) >= GIVEAWAY and body in problem.prompt:
        return "the prompt holds the solution"
    if problem.language:
        count = len(cases_of(problem.tests))
        return f"the prompt shows all {count} cases" if len(shown_whole_cases(problem)) == count else ""
    asked = _questions(problem)
    shown = {_plain(f"{problem.entry_point}({case.arguments}) == {case.value}") for case in shown_cases(problem)}
    shown |= {_plain(line.strip().removeprefix("assert ")) for line in problem.prompt.split("\n")}
    return f"the prompt shows all {len(asked)} tests" if asked and asked <= shown else ""


def _body(problem: Problem) -> str:
    """What the solution adds to the prompt; where it does not continue it, what follows the function's first line."""
    if problem.solution.startswith(problem.prompt):
        return problem.solution.removeprefix(problem.prompt).strip()
    _, found, rest = problem.solution.partition(f"def {problem.entry_point}(")
    return rest.partition("\n")[2].strip() if found else problem.solution.strip()


def _questions(problem: Problem) -> set[str]:
    """What the tests assert about the program, as source; assertions that do not name it ask nothing."""
    names = {problem.entry_point, "candidate"}
    found = set()
    for node in assertions(problem.tests):
        called = [name for name in ast.walk(node.test) if isinstance(name, ast.Name) and name.id in names]
        for name in called:
            name.id = problem.entry_point
        if called:
            found.add(ast.unparse(node.test))
    return found


def _plain(source: str) -> str:
    """An expression as `ast.unparse` writes it, so that spacing and quotes do not matter."""
    tree = parse(source)
    return ast.unparse(tree) if tree else source


def _near_duplicates(problems: Sequence[Problem], field: str) -> Check:
    """Near-duplicates across splits are listed: a probe trained on one is tested on the other."""
    splits = {problem.id: problem.split for problem in problems}
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for name, number in group_near_duplicates({problem.id: getattr(problem, field) for problem in problems}).items():
        groups[number].append(name)
    several = [group for group in groups.values() if len(group) > 1]
    found = [
        Finding(group[0], "like " + ", ".join(f"{name} ({splits[name]})" for name in group[1:]))
        for group in several
        if len({splits[name] for name in group}) > 1
    ]
    what = {"prompt": "prompts", "tests": "tests"}[field]
    note = f"groups of near-duplicates: {len(several)}, {len(found)} of them across splits" if several else ""
    return Check(f"{what} differ across splits", len(problems), tuple(found), note=note, must_hold=False)
