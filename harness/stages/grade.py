"""Grade: run every program of a run in a sandbox and keep what became of it."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from benchmarks import Problem
from harness.errors import QprobeError
from harness.progress import SILENT, Progress
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from sandbox import Job, Limits, Outcome, Sandbox, Status
from sandbox.grading_mode import CEILING_SECONDS, FACTOR, FLOOR_SECONDS, GradingPlan, plan_grading
from sandbox.languages import check_languages

COMMIT_SECONDS = 0.5
"""How much grading a killed command may lose."""

Keep = Callable[[SampleId, Outcome], None]


@dataclass(frozen=True, slots=True)
class Graded:
    """What a grading did."""

    grader: str
    new: int
    reused: int  # verdicts that were there already
    broken: int  # programs that the sandbox could not run; they stay ungraded, and the next grading tries them again


@dataclass(frozen=True, slots=True)
class Budget:
    """How long programs may run: a fixed CPU time, or one that follows each problem's reference.

    It is `factor` times the reference's, at least `floor` and at most `ceiling` seconds. Raises QprobeError where
    there is no time between the two.
    """

    cpu_seconds: float | None = None
    factor: float = FACTOR
    floor: float = FLOOR_SECONDS
    ceiling: float = CEILING_SECONDS

    def __post_init__(self) -> None:
        if self.floor > self.ceiling:
            raise QprobeError(f"--timeout-min {self.floor:g} is more than --timeout-max {self.ceiling:g}.")

    @property
    def base(self) -> Limits:
        """The limits of a problem whose reference tells nothing; wall time stays in proportion to CPU time."""
        usual = Limits()
        factor = 1.0 if self.cpu_seconds is None else self.cpu_seconds / usual.cpu_seconds
        return replace(usual, cpu_seconds=factor * usual.cpu_seconds, wall_seconds=factor * usual.wall_seconds)

    @property
    def of_references(self) -> Limits:
        """The limits of the references themselves: generous, because it is they who are measured."""
        return replace(self.base, cpu_seconds=max(CEILING_SECONDS, self.base.cpu_seconds), wall_seconds=60.0)

    def limits(self, plan: GradingPlan) -> Limits:
        """The limits of a problem's programs."""
        if self.cpu_seconds is not None:
            return self.base
        return plan.limits(self.base, self.factor, self.floor, self.ceiling)


def grader_key(sandbox: Sandbox, budget: Budget) -> str:
    """Names a grader by all that may change a verdict: the sandbox's image and code, and the limits."""
    text = json.dumps([sandbox.identity, asdict(budget), asdict(budget.base)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def grade(store: Store, sandbox: Sandbox, budget: Budget, progress: Progress = SILENT) -> Graded:
    """Run every program that this grader has not judged; verdicts are committed as they come.

    Where tests were added to a problem's, programs run before the base tests too, and those verdicts are kept beside.
    """
    grader = grader_key(sandbox, budget)
    problems = store.problems()
    check_languages(sandbox, {problem.language for problem in problems if problem.language})
    done = _Suite(store, sandbox, budget, grader, problems).grade(progress, "Grading")
    store.note("grader", grader)
    if with_base := [problem.base() for problem in problems if problem.base_tests]:
        more = _Suite(store, sandbox, budget, VerdictSet.BASE_TESTS.key(grader), with_base).grade(
            progress, "Grading by base tests"
        )
        done = replace(done, broken=done.broken + more.broken)
    return done


@dataclass(frozen=True, slots=True)
class _Suite:
    """Problems with their tests, and the grader under whose name their verdicts are kept."""

    store: Store
    sandbox: Sandbox
    budget: Budget
    grader: str
    problems: Sequence[Problem]

    def grade(self, progress: Progress, title: str) -> Graded:
        """Run the programs that are left to run."""
        plans = self._plan(progress)
        problems = {problem.id: problem for problem in self.problems}
        total = sum(sample.problem_id in problems for sample in self.store.sample_ids(greedy=True))
        reused = len(self.store.verdicts(self.grader, greedy=True))
        if reused:
            progress.message(f"{title}: {reused:,} of {total:,} verdicts are there already.")
        left = (each for each in self.store.ungraded(self.grader) if each.problem_id in problems)
        work = (candidate(each, problems[each.problem_id], plans[each.problem_id], self.budget) for each in left)
        broken = passed = 0
        unsupported: dict[str, str] = {}
        with progress.task(title, total, reused) as advance, kept(self.store, self.grader) as keep:
            for sample, outcome in _outcomes(self.sandbox, work):
                if outcome.status is Status.BROKEN:
                    broken += 1
                else:
                    keep(sample, outcome)
                passed += outcome.status is Status.PASSED
                if outcome.status is Status.UNSUPPORTED:
                    unsupported.setdefault(sample.problem_id, outcome.detail)
                advance(1, f"{passed:,} passed")
        if unsupported:
            progress.message(unsupported_warning(unsupported))
        return Graded(self.grader, total - reused - broken, reused, broken)

    def _plan(self, progress: Progress) -> dict[str, GradingPlan]:
        """Decide from the references how each problem is graded; what was decided once for this grader stays."""
        known = self.store.plans(self.grader)
        fresh = [problem for problem in self.problems if problem.id not in known]
        found: dict[str, GradingPlan] = {}
        with progress.task("Running references", len(fresh)) as advance:
            for job, plan in plan_grading(self.sandbox, (reference(problem, self.budget) for problem in fresh)):
                found[job.key] = plan
                advance()
        self.store.add_plans(self.grader, found)
        if failing := sorted(name for name, plan in found.items() if plan.trouble):
            shown = ", ".join(failing[:5]) + (", ..." if len(failing) > 5 else "")
            progress.message(f"The reference solutions of {len(failing)} problems fail their own tests: {shown}.")
        return known | found


def unsupported_warning(details: Mapping[str, str]) -> str:
    """One sentence about problems some of whose programs are UNSUPPORTED, from one detail of each."""
    name, detail = next(iter(details.items()))
    return (
        f"WARNING: programs of {len(details)} problems are unsupported and have no reward, such as {name}: {detail}. "
        'Add a "solution" to such a problem, or "mode": "shared", which runs tests and program in one process.'
    )


def reference(problem: Problem, budget: Budget) -> Job:
    """A problem's reference solution as a job."""
    return problem.job(problem.solution, budget.of_references)


def candidate(completion: Completion, problem: Problem, plan: GradingPlan, budget: Budget) -> Job:
    """A completion as a job, graded as its problem is."""
    return plan.apply(problem.job(completion.program, budget.limits(plan), key=json.dumps(completion.id)))


def _outcomes(sandbox: Sandbox, work: Iterable[Job]) -> Iterator[tuple[SampleId, Outcome]]:
    for job, outcome in sandbox.run(work):
        yield SampleId(*json.loads(job.key)), outcome


@contextmanager
def kept(store: Store, grader: str) -> Iterator[Keep]:
    """Commit outcomes every COMMIT_SECONDS, and whatever is left when the loop ends or breaks."""
    waiting: dict[SampleId, Outcome] = {}
    last = time.monotonic()

    def flush() -> None:
        nonlocal last
        store.add_verdicts(grader, waiting)
        waiting.clear()
        last = time.monotonic()

    def keep(sample: SampleId, outcome: Outcome) -> None:
        waiting[sample] = outcome
        if time.monotonic() - last > COMMIT_SECONDS:
            flush()

    try:
        yield keep
    finally:
        flush()
