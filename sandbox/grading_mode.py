"""The grading of each problem, decided from its tests and its reference solution and never from a candidate.

A problem gets the least trust with which its reference passes:

1. "separate": the tests run apart; plain data, functions and iterators reach them. Names of the reference that they use
   come from the reference, not from the program, which could have redefined them.
2. "live": in the places where the reference answers with objects of classes that it defines, the program may too.
3. "evaluating": the tests really evaluate what the program answers.
4. "shared": the tests run in the program's own process, which a program can fool. Tests that watch or change their own
   interpreter need this whatever else the reference passes; then a program must pass both ways.

Arguments and results keep identity and changes wherever the tests could tell; where the reference passes with copies
too, so must a program, since one that empties its argument could make the tests vacuous.

The verdict says which mode it was. Without a reference the tests alone decide, and a program that then fails for the
sake of a limit, and not of an answer, is UNSUPPORTED.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sandbox.job import ANY, Job, Limits, Mode, Outcome, Sandbox, Status
from sandbox.tests_reading import TextOfTests

FACTOR = 20.0
FLOOR_SECONDS = 0.5
CEILING_SECONDS = 10.0
"""A program may use FACTOR times the CPU time of its problem's reference, within these bounds.

Of 3,143 passing programs of four models (HumanEval and MBPP, allowed 3 s) none used more than 0.03 s. Most time goes to
programs that never end, and each of those costs the floor.
"""


@dataclass(frozen=True, slots=True)
class GradingPlan:
    """The way in which the programs of one problem are graded. The fields up to `unsure` are those of a Job."""

    mode: Mode = "separate"
    by_reference: bool = False
    setup: str = ""
    graph: bool = True
    reference: str = ""
    asked: tuple[str, ...] = (ANY,)
    objects: tuple[str, ...] = ()
    asks_classes: bool = False
    apart: bool = False
    unsure: bool = False
    reference_seconds: float | None = None  # CPU time of the reference; None where it is missing or does not pass
    call_seconds: float | None = None  # CPU time of its slowest call, where calls are limited
    trouble: str = ""  # why the reference does not pass
    watches: str = ""  # the name by which the tests watch their own interpreter

    def limits(
        self,
        base: Limits,
        factor: float = FACTOR,
        floor: float = FLOOR_SECONDS,
        ceiling: float = CEILING_SECONDS,
    ) -> Limits:
        """`base` with `factor` times the CPU time of the reference, within bounds; `base` itself if unknown."""
        if self.reference_seconds is None:
            return base
        cpu_seconds = min(max(floor, factor * self.reference_seconds), ceiling)
        return replace(base, cpu_seconds=cpu_seconds, wall_seconds=max(5 * cpu_seconds, base.wall_seconds / 3))

    def apply(self, job: Job) -> Job:
        """The job of a candidate, graded this way."""
        return replace(job, **{name: getattr(self, name) for name in _JOB_FIELDS})


_JOB_FIELDS = (
    *("mode", "by_reference", "setup", "graph", "reference", "asked", "objects", "asks_classes", "apart", "unsure"),
)


def plan_grading(sandbox: Sandbox, references: Iterable[Job]) -> Iterator[tuple[Job, GradingPlan]]:
    """Plan each problem's grading. The jobs' programs are the reference solutions; "" where it is missing.

    All references run with the same limits, which should be generous. A job's `forced` mode is the only one that is
    tried, and its `asked` names come from the program. Yields in any order.
    """
    waiting: list[_Planning] = []
    for job in references:
        if job.program:
            waiting.append(_Planning(job))
        else:
            yield job, _without_reference(job)
    while waiting:
        by_key = {planning.job.key: planning for planning in waiting}
        for tried, outcome in sandbox.run(planning.next_job() for planning in waiting):
            by_key[tried.key].note(outcome)
        for planning in waiting:
            if planning.result is not None:
                yield planning.job, planning.result
        waiting = [planning for planning in waiting if planning.result is None]


class _Planning:
    """One problem on its way to a plan: one plan after another is tried with the reference."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result: GradingPlan | None = None
        self._plans = [GradingPlan()] if job.language else _ladder(job)
        self._place = 0
        self._apart: GradingPlan | None = None  # the plan with which the reference passes in a separate process
        self._seconds = 0.0
        self._trouble = ""
        self._checks_copies = False

    @property
    def _plan(self) -> GradingPlan:
        return self._plans[self._place]

    def next_job(self) -> Job:
        """The reference, graded in the way that is tried next."""
        plan = (
            replace(self._apart, by_reference=False, graph=False) if self._checks_copies and self._apart else self._plan
        )
        return replace(plan.apply(self.job), trace=not self.job.language)

    def note(self, outcome: Outcome) -> None:
        """Take in the outcome of that job."""
        passed = outcome.status is Status.PASSED
        if self._checks_copies and self._apart is not None:
            self._checks_copies = False
            self._apart = replace(self._apart, by_reference=not passed)
            self._finish_apart()
        elif passed:
            self._pass(outcome)
        else:
            self._trouble = self._trouble or f"{outcome.status}: {outcome.detail}"
            self._go_on()

    def _pass(self, outcome: Outcome) -> None:
        plan = replace(self._plan, reference_seconds=outcome.cpu_seconds)
        if self.job.language:
            self.result = plan
        elif plan.mode == "shared":
            self.result = plan if self._apart is None else _both(self._apart, plan)
        else:
            traced = json.loads(outcome.detail)
            objects = tuple(traced["objects"]) if plan.objects else ()
            mode: Mode = "separate" if plan.mode == "live" and not objects else plan.mode
            reference = plan.reference if traced["names"] else ""
            seconds = traced["slowest"] or None
            self._apart = replace(plan, objects=objects, mode=mode, reference=reference, call_seconds=seconds)
            self._checks_copies = plan.graph
            if not plan.graph:
                self._finish_apart()

    def _finish_apart(self) -> None:
        """The reference passes apart from its tests: that is the plan, unless the tests watch their interpreter."""
        shared = next((i for i, plan in enumerate(self._plans) if plan.mode == "shared" and plan.watches), None)
        if shared is None or shared <= self._place:
            self.result = self._apart
        else:
            self._place = shared

    def _go_on(self) -> None:
        self._place += 1
        if self._place == len(self._plans):
            self.result = self._apart or replace(self._plans[0], trouble=self._trouble)


def _both(apart: GradingPlan, shared: GradingPlan) -> GradingPlan:
    """The plan where a program must pass with its tests in another process and in its own."""
    return replace(
        apart,
        mode="shared",
        apart=apart.mode == "separate",
        reference=apart.reference or shared.reference,
        reference_seconds=max(apart.reference_seconds or 0.0, shared.reference_seconds or 0.0),
    )


def _ladder(job: Job) -> list[GradingPlan]:
    """The ways to grade a problem, the one with the least trust first."""
    text = TextOfTests(job.tests, job.setup, job.entry_point)
    asked = tuple(dict.fromkeys((*(name for name in job.asked if name != ANY), *text.under_test(job.program))))
    graph = text.sees_copies
    base = GradingPlan(
        setup=job.setup, graph=graph, by_reference=graph, reference=job.program, asked=asked, watches=text.watches
    )
    live = replace(base, mode="live", objects=(ANY,))
    plans = [base, live, replace(live, asks_classes=True)]
    if text.evaluates:
        plans += [replace(base, mode="evaluating"), replace(live, mode="evaluating")]
    shared = replace(base, mode="shared", by_reference=False, graph=True)
    if text.free_names() - set(asked):
        plans.append(shared)
    plans.append(replace(shared, reference=""))
    if job.forced:
        return [plan for plan in plans if plan.mode == job.forced] or [replace(base, mode=job.forced)]
    return plans


def _without_reference(job: Job) -> GradingPlan:
    """The plan that the tests alone ask for."""
    if job.language:
        return GradingPlan()
    text = TextOfTests(job.tests, job.setup, job.entry_point)
    plan = GradingPlan(
        setup=job.setup,
        graph=text.sees_copies,
        by_reference=text.sees_copies and text.drops_results,
        asked=(ANY,),
        watches=text.watches,
        unsure=True,
    )
    if job.forced == "shared" or (text.watches and not job.forced):
        return replace(plan, mode="shared")
    if job.forced == "live" or (not job.forced and (text.asks_objects or job.objects)):
        return replace(plan, mode="live", objects=(ANY,))
    return replace(plan, mode=job.forced or "separate")
