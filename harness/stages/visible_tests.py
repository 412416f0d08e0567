"""Visible tests: run each program on the first test that its problem's prompt shows, and keep what it answers."""

import json
from dataclasses import replace
from itertools import groupby

from benchmarks import Problem
from benchmarks.doctor.cases import CallCase, shown_cases
from harness.progress import SILENT, Progress
from harness.runs.completion import SampleId
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stages.grade import Budget, by_program, kept
from sandbox import Job, Limits, Sandbox

_DIGEST = """\
def text(value):
    if isinstance(value, (set, frozenset)):
        return "{" + ",".join(sorted([text(item) for item in value])) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(sorted([text(key) + ":" + text(value[key]) for key in value])) + "}"
    if isinstance(value, (list, tuple)):
        return ("[" if isinstance(value, list) else "(") + ",".join([text(item) for item in value]) + ")"
    if isinstance(value, float) and value.is_integer():
        return ascii(int(value))
    if isinstance(value, (bool, int)):
        return ascii(int(value))
    if value is None or isinstance(value, (float, complex, str, bytes)):
        return ascii(value)
    raise TypeError("the answer is not made of plain values")


def digest(value):
    number = 0
    for sign in text(value):
        number = (number * 1000003 + ord(sign)) % 18446744073709551557
    return number


"""


def run_visible_tests(store: Store, sandbox: Sandbox, budget: Budget, progress: Progress = SILENT) -> int:
    """Ask every program for its answer to the first test that its prompt shows; returns how many problems show one.

    Equal programs of a problem are run once. The answer is compared by a digest that is made in the tests' process.
    """
    grader = store.about.require_grader(store.folder)
    answers = VerdictSet.VISIBLE_TEST.key(grader)
    plans = store.plans(grader)
    problems = {problem.id: problem for problem in store.problems()}
    cases = {name: visible[0] for name, problem in problems.items() if (visible := shown_cases(problem))}
    total = sum(sample.problem_id in cases for sample in store.sample_ids(greedy=True))
    present = len(store.verdicts(answers, greedy=True))
    by_problem = groupby(store.ungraded(answers), key=lambda completion: completion.problem_id)
    work = (
        plan.apply(_ask(program, ids, problem, cases[problem_id], budget.limits(plan, problem)))
        for problem_id, completions in by_problem
        if problem_id in cases and (plan := plans[problem_id]) and (problem := problems[problem_id])
        for program, ids in by_program(completions).items()
    )
    with (
        progress.task("Visible tests", total, present) as advance,
        kept(store, answers) as keep,
    ):
        for job, outcome in sandbox.run(work):
            ids = json.loads(job.key)
            keep([SampleId(*sample) for sample in ids], outcome)
            advance(len(ids))
    return len(cases)


def _ask(program: str, ids: list[SampleId], problem: Problem, case: CallCase, limits: Limits) -> Job:
    """A job whose tests always end in an assertion that says the answer."""
    call = f"answer = {problem.entry_point}({case.arguments})\n"
    report = f"raise AssertionError('answer ' + str(digest(answer)) + ' ' + str(answer == ({case.value})))\n"
    return replace(problem.job(program, limits, key=json.dumps(ids)), tests=_DIGEST + call + report)
