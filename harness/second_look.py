"""Second looks at graded programs: do verdicts stay the same, and what does each program give on a test that is shown.

Both are kept as verdicts of a grader of another name, so that they are resumed, and renewed with the grader, as
verdicts are.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from benchmarks import Problem
from benchmarks.doctor.cases import Case, shown_cases
from harness.completion import Completion, SampleId
from harness.grading import Budget, candidate, kept
from harness.numbers.estimates import Floats, Ints
from harness.runs.store import Store
from harness.terminal import Terminal
from sandbox import Job, Limits, Outcome, Sandbox, Status

AGAIN = 200
"""How many programs are graded twice."""

_DIGEST = """\
def text(value):
    if isinstance(value, (set, frozenset)):
        return "{" + ",".join(sorted([text(each) for each in value])) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(sorted([text(key) + ":" + text(value[key]) for key in value])) + "}"
    if isinstance(value, (list, tuple)):
        return ("[" if isinstance(value, list) else "(") + ",".join([text(each) for each in value]) + ")"
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
_ANSWER = re.compile(r"answer (\d+) (True|False)$")


@dataclass(frozen=True, slots=True)
class Stability:
    """How many of the programs that were graded twice got another reward the second time."""

    programs: int
    changed: list[tuple[str, int, str, str]]  # problem, sample, first status, second status


@dataclass(frozen=True, slots=True)
class Shown:
    """What programs give on the first test that their problem's prompt shows, [P, N] each."""

    problems: int  # how many show one
    groups_PN: Ints  # samples of a problem with equal answers share a number; no answer is in a group of its own
    passes_PN: Floats  # 1 where the answer is the one that is shown


def again(grader: str) -> str:
    """The name under which the second verdicts of a grader are kept."""
    return f"again {grader}"


def shown(grader: str) -> str:
    """The name under which answers to the shown test are kept."""
    return f"shown {grader}"


def grade_again(store: Store, sandbox: Sandbox, budget: Budget, terminal: Terminal, programs: int = AGAIN) -> None:
    """Grade some programs once more, the same ones whenever this is run."""
    grader = store.settings()["grader"]
    chosen = set(sorted(store.verdicts(grader), key=_lot)[:programs]) - set(store.verdicts(again(grader)))
    problems, plans = {problem.id: problem for problem in store.problems()}, store.plans(grader)
    work = [
        candidate(each, problems[each.problem_id], plans[each.problem_id], budget)
        for each in store.completions()
        if each.id in chosen
    ]
    found = {}
    with terminal.progress("Grading again", len(work)) as advance:
        for job, outcome in sandbox.run(work):
            found[SampleId(*json.loads(job.key))] = outcome
            advance()
    store.add_verdicts(again(grader), found)


def _lot(sample: SampleId) -> str:
    return hashlib.sha256(json.dumps(sample).encode()).hexdigest()


def stability(store: Store, grader: str) -> Stability | None:
    """How the second verdicts agree with the first; None where there are none."""
    second = store.verdicts(again(grader))
    if not second:
        return None
    first = store.verdicts(grader)
    pairs = [(sample, first[sample], outcome) for sample, outcome in second.items() if sample in first]
    changed = [(*s, str(one.status), str(two.status)) for s, one, two in pairs if one.reward != two.reward]
    return Stability(len(pairs), changed)


def run_shown_tests(store: Store, sandbox: Sandbox, budget: Budget, terminal: Terminal) -> int:
    """Ask every program for its answer to the first test that its prompt shows; returns how many problems show one.

    Equal programs of a problem are run once. The answer is compared by a digest that is made in the tests' process.
    """
    grader = store.settings()["grader"]
    plans = store.plans(grader)
    problems = {problem.id: problem for problem in store.problems()}
    cases = {name: found[0] for name, problem in problems.items() if (found := shown_cases(problem))}
    total = sum(sample.problem_id in cases for sample in store.sample_ids(greedy=True))
    there = len(store.verdicts(shown(grader), greedy=True))
    by_problem = groupby(store.ungraded(shown(grader)), key=lambda each: each.problem_id)
    work = (
        plan.apply(_ask(program, ids, problems[problem_id], cases[problem_id], budget.limits(plan)))
        for problem_id, completions in by_problem
        if problem_id in cases and (plan := plans[problem_id])
        for program, ids in _alike(completions).items()
    )
    with terminal.progress("Shown tests", total, there) as advance, kept(store, shown(grader)) as keep:
        for job, outcome in sandbox.run(work):
            ids = json.loads(job.key)
            for problem_id, sample in ids:
                keep(SampleId(problem_id, sample), outcome)
            advance(len(ids))
    return len(cases)


def _alike(completions: Iterator[Completion]) -> dict[str, list[SampleId]]:
    alike: dict[str, list[SampleId]] = {}
    for completion in completions:
        alike.setdefault(completion.program, []).append(completion.id)
    return alike


def _ask(program: str, ids: list[SampleId], problem: Problem, case: Case, limits: Limits) -> Job:
    """A job whose tests always end in an assertion that says the answer."""
    call = f"answer = {problem.entry_point}({case.arguments})\n"
    said = f"raise AssertionError('answer ' + str(digest(answer)) + ' ' + str(answer == ({case.value})))\n"
    return replace(problem.job(program, limits, key=json.dumps(ids)), tests=_DIGEST + call + said)


def shown_answers(store: Store, grader: str, problem_ids: Sequence[str], indices_PN: Ints) -> Shown | None:
    """The answers in the places of the scores; None where the programs were not asked."""
    verdicts = store.verdicts(shown(grader))
    if not verdicts:
        return None
    groups_PN = -1 - np.arange(indices_PN.size, dtype=np.int64).reshape(indices_PN.shape)
    passes_PN = np.zeros(indices_PN.shape)
    for p, problem_id in enumerate(problem_ids):
        numbers: dict[str, int] = {}
        for n in np.flatnonzero(indices_PN[p] >= 0):
            found = _answer(verdicts, SampleId(problem_id, int(indices_PN[p, n])))
            if found is not None:
                groups_PN[p, n] = numbers.setdefault(found[0], len(numbers))
                passes_PN[p, n] = found[1]
    return Shown(len({sample.problem_id for sample in verdicts}), groups_PN, passes_PN)


def _answer(verdicts: Mapping[SampleId, Outcome], sample: SampleId) -> tuple[str, float] | None:
    """The digest of a sample's answer, and 1 where it is the one that is shown; None where it gave none."""
    outcome = verdicts.get(sample)
    said = _ANSWER.search(outcome.detail) if outcome is not None and outcome.status is Status.FAILED else None
    return (said[1], float(said[2] == "True")) if said else None
