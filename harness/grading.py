"""Grade: run every program of a run in a sandbox and keep what became of it."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from benchmarks import Problem
from harness.completion import Completion, SampleId
from harness.store import Store
from harness.terminal import Terminal
from sandbox import Job, Limits, Outcome, Sandbox, Status
from sandbox.languages import check_languages
from sandbox.survey import Plan, survey

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
    """How long programs may run: a fixed CPU time, or one that follows each problem's reference."""

    cpu_seconds: float | None = None

    @property
    def base(self) -> Limits:
        """The limits of a problem whose reference tells nothing; wall time stays in proportion to CPU time."""
        usual = Limits()
        factor = 1.0 if self.cpu_seconds is None else self.cpu_seconds / usual.cpu_seconds
        return replace(usual, cpu_seconds=factor * usual.cpu_seconds, wall_seconds=factor * usual.wall_seconds)

    @property
    def of_references(self) -> Limits:
        """The limits of the references themselves: generous, because it is they who are measured."""
        return replace(self.base, cpu_seconds=max(10.0, self.base.cpu_seconds), wall_seconds=60.0)

    def limits(self, plan: Plan) -> Limits:
        """The limits of a problem's programs."""
        return plan.limits(self.base) if self.cpu_seconds is None else self.base


def grader_key(sandbox: Sandbox, budget: Budget) -> str:
    """Names a grader by all that may change a verdict: the sandbox's image and code, and the limits."""
    text = json.dumps([sandbox.identity, asdict(budget), asdict(budget.base)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def grade(store: Store, sandbox: Sandbox, budget: Budget, terminal: Terminal) -> Graded:
    """Run every program that this grader has not judged; verdicts are committed as they come."""
    grader = grader_key(sandbox, budget)
    plans = plan_problems(store, sandbox, grader, budget, terminal)
    total = len(store.sample_ids())
    reused = len(store.verdicts(grader))
    if reused:
        terminal.say(f"Grading: {reused:,} of {total:,} verdicts are there already.")
    problems = {problem.id: problem for problem in store.problems()}
    work = (
        candidate(each, problems[each.problem_id], plans[each.problem_id], budget) for each in store.ungraded(grader)
    )
    broken = passed = 0
    with terminal.progress("Grading", total, reused) as advance, _kept(store, grader) as keep:
        for sample, outcome in _outcomes(sandbox, work):
            if outcome.status is Status.BROKEN:
                broken += 1
            else:
                keep(sample, outcome)
            passed += outcome.status is Status.PASSED
            advance(1, f"{passed:,} passed")
    store.note("grader", grader)
    return Graded(grader, total - reused - broken, reused, broken)


def plan_problems(store: Store, sandbox: Sandbox, grader: str, budget: Budget, terminal: Terminal) -> dict[str, Plan]:
    """Decide from the references how each problem is graded; what was decided once for this grader stays."""
    known = store.plans(grader)
    fresh = [problem for problem in store.problems() if problem.id not in known]
    found: dict[str, Plan] = {}
    check_languages(sandbox, {problem.language for problem in store.problems() if problem.language})
    with terminal.progress("Running references", len(fresh)) as advance:
        for job, plan in survey(sandbox, (reference(problem, budget) for problem in fresh)):
            found[job.key] = plan
            advance()
    store.add_plans(grader, found)
    if failing := sorted(name for name, plan in found.items() if plan.trouble):
        shown = ", ".join(failing[:5]) + (", ..." if len(failing) > 5 else "")
        terminal.say(f"The reference solutions of {len(failing)} problems do not pass their own tests: {shown}.")
    return known | found


def reference(problem: Problem, budget: Budget) -> Job:
    """A problem's reference solution as a job."""
    return problem.job(problem.solution, budget.of_references)


def candidate(completion: Completion, problem: Problem, plan: Plan, budget: Budget) -> Job:
    """A completion as a job, graded as its problem is."""
    return plan.apply(problem.job(completion.program, budget.limits(plan), key=json.dumps(completion.id)))


def _outcomes(sandbox: Sandbox, work: Iterable[Job]) -> Iterator[tuple[SampleId, Outcome]]:
    for job, outcome in sandbox.run(work):
        yield SampleId(*json.loads(job.key)), outcome


@contextmanager
def _kept(store: Store, grader: str) -> Iterator[Keep]:
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
