"""Checks that run programs: references must pass each time, impostors never."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.doctor.check import Check, Finding, Progress
from benchmarks.doctor.impostors import KINDS, impostors
from benchmarks.problem import Benchmark, Problem
from sandbox import Job, Limits, Outcome, Sandbox, Status
from sandbox.grading_mode import GradingPlan, plan_grading

SLOW_SECONDS = 1.0
"""CPU time from which on a reference is named: its problem takes most of a benchmark's time."""

AS_COMPLETION = "references pass as completions"
CUT = "after the prompt, cut at its stop strings"


@dataclass(frozen=True, slots=True)
class Trial:
    """The sandbox, and how long programs may run in it."""

    sandbox: Sandbox
    limits: Limits  # of a problem whose reference tells nothing
    of_references: Limits
    progress: Progress


@dataclass(slots=True)
class _Seen:
    """What became of the programs of one kind."""

    outcomes: defaultdict[str, list[tuple[str, Outcome]]] = field(default_factory=lambda: defaultdict(list))

    def passing(self) -> Iterator[Finding]:
        for problem_id, tried in self.outcomes.items():
            names = [name for name, outcome in tried if outcome.status is Status.PASSED]
            if names:
                yield Finding(problem_id, f"passes: {', '.join(names)}")


def run_checks(benchmark: Benchmark, problems: Sequence[Problem], trial: Trial, repeats: int) -> Iterator[Check]:
    """All checks that need the sandbox. References run `repeats` times."""
    plans = _plan(problems, trial)
    known = [problem for problem in problems if problem.solution]
    again = _run(trial, "Repeating", _again(known, plans, trial, repeats), len(known) * repeats)
    yield _references(known, plans, again)
    yield _flaky(known, plans, again)
    yield _as_completions(benchmark, known, plans, trial)
    total = sum(1 for problem in problems for _ in impostors(problem))
    tried = _run(trial, "Running impostors", _impostor_jobs(problems, plans, trial), total)
    for kind in KINDS:
        count = sum(len(each) for each in tried[kind].outcomes.values())
        looked_at = len(tried[kind].outcomes)
        yield Check(kind, looked_at, tuple(tried[kind].passing()), note=f"{count:,} programs")
    yield _modes(plans)
    yield _broken([*again.values(), *tried.values()])


def _plan(problems: Sequence[Problem], trial: Trial) -> dict[str, GradingPlan]:
    plans: dict[str, GradingPlan] = {}
    with trial.progress("Running references", len(problems)) as advance:
        for job, plan in plan_grading(
            trial.sandbox, (each.job(each.solution, trial.of_references) for each in problems)
        ):
            plans[job.key] = plan
            advance()
    return plans


def _run(trial: Trial, title: str, jobs: Iterator[Job], total: int) -> dict[str, _Seen]:
    """Run jobs whose keys are [kind, problem, name]; outcomes by kind."""
    seen: defaultdict[str, _Seen] = defaultdict(_Seen)
    with trial.progress(title, total) as advance:
        for job, outcome in trial.sandbox.run(jobs):
            kind, problem_id, name = json.loads(job.key)
            seen[kind].outcomes[problem_id].append((name, outcome))
            advance()
    return seen


def _job(kind: str, name: str, program: str, problem: Problem, plan: GradingPlan, trial: Trial) -> Job:
    return plan.apply(problem.job(program, plan.limits(trial.limits), json.dumps([kind, problem.id, name])))


def _again(problems: Sequence[Problem], plans: Mapping[str, GradingPlan], trial: Trial, repeats: int) -> Iterator[Job]:
    """The references again, now within the limits that candidates have. In rounds, so that repeats stand apart."""
    for number in range(repeats):
        for problem in problems:
            yield _job("again", str(number), problem.solution, problem, plans[problem.id], trial)


def _impostor_jobs(problems: Sequence[Problem], plans: Mapping[str, GradingPlan], trial: Trial) -> Iterator[Job]:
    for problem in problems:
        for kind, name, program in impostors(problem):
            yield _job(kind, name, program, problem, plans[problem.id], trial)


def _references(known: Sequence[Problem], plans: Mapping[str, GradingPlan], again: Mapping[str, _Seen]) -> Check:
    failing = []
    for problem_id, tried in again["again"].outcomes.items():
        if not any(outcome.status is Status.PASSED for _, outcome in tried):
            outcome = tried[0][1]
            where = "" if plans[problem_id].trouble else "within the limits of candidates, "
            failing.append(Finding(problem_id, f"{where}{outcome.status}: {outcome.detail}"))
    seconds = {name: plan.reference_seconds for name, plan in plans.items() if plan.reference_seconds is not None}
    note = "no problem has a reference" if not known else ""
    if seconds:
        slowest = max(seconds, key=lambda name: seconds[name])
        slow = sum(each >= SLOW_SECONDS for each in seconds.values())
        note = f"median {1000 * median(seconds.values()):.1f} ms; slowest {slowest}, {seconds[slowest]:.2f} s"
        note += f"; {slow} take {SLOW_SECONDS:g} s or more" if slow else ""
    return Check("references pass", len(known), tuple(failing), note=note)


def _flaky(known: Sequence[Problem], plans: Mapping[str, GradingPlan], again: Mapping[str, _Seen]) -> Check:
    found, runs = [], 0
    for problem_id, tried in again["again"].outcomes.items():
        statuses = Counter(outcome.status.value for _, outcome in tried)
        runs = max(runs, len(tried))
        first = plans[problem_id].trouble.partition(":")[0] or "passed"
        statuses[first] += 1
        if len(statuses) > 1 and statuses["passed"]:
            found.append(Finding(problem_id, ", ".join(f"{count} {name}" for name, count in statuses.items())))
    return Check("references pass each time", len(known), tuple(found), note=f"{runs + 1} runs each")


def _as_completions(
    benchmark: Benchmark, known: Sequence[Problem], plans: Mapping[str, GradingPlan], trial: Trial
) -> Check:
    """Each reference as a model would write it: after the prompt, and cut by the stop strings.

    What comes out as it went in has passed already.
    """
    sound = [problem for problem in known if not plans[problem.id].trouble]
    rewritten = [(problem, _rewritten(benchmark, problem)) for problem in sound]
    other = [(problem, program) for problem, program in rewritten if program != problem.solution]
    jobs = (_job(AS_COMPLETION, "", program, problem, plans[problem.id], trial) for problem, program in other)
    seen = _run(trial, "Cutting references", jobs, len(other))[AS_COMPLETION]
    found = [
        Finding(problem_id, f"{outcome.status}: {outcome.detail}")
        for problem_id, ((_, outcome),) in seen.outcomes.items()
        if outcome.status is not Status.PASSED
    ]
    return Check(AS_COMPLETION, len(sound), tuple(found), note=CUT, must_hold=False)


def _rewritten(benchmark: Benchmark, problem: Problem) -> str:
    return benchmark.program(problem, problem.prompt, problem.solution.removeprefix(problem.prompt))


def _modes(plans: Mapping[str, GradingPlan]) -> Check:
    """In which process the tests run. Tests that share the program's process can be fooled by it."""
    found = [Finding(name, text) for name, plan in plans.items() if (text := _trust(plan))]
    counts = Counter(plan.mode for plan in plans.values())
    note = ", ".join(f"{count} {mode}" for mode, count in counts.most_common())
    return Check("tests run apart from the program", len(plans), tuple(found), note=note, must_hold=False)


def _trust(plan: GradingPlan) -> str:
    """Describe the trust of a problem's tests in its programs; "" where there is no trust."""
    where = {
        "separate": "",
        "live": "its tests ask objects of the program's own",
        "evaluating": "its tests evaluate what the program answers",
        "shared": "its tests run in the program's own process" + (", and apart from it" if plan.apart else ""),
    }[plan.mode]
    reason = f" (they use {plan.watches!r})" if plan.mode == "shared" and plan.watches else ""
    unsure = "it has no solution, so its tests alone say how it is graded" if plan.unsure else ""
    return "; ".join(filter(None, (where + reason, unsure)))


def _broken(seen: Sequence[_Seen]) -> Check:
    failed: Counter[str] = Counter()
    for each in seen:
        for problem_id, tried in each.outcomes.items():
            failed[problem_id] += sum(outcome.status is Status.BROKEN for _, outcome in tried)
    found = [Finding(name, f"the sandbox failed on {count} programs") for name, count in failed.items() if count]
    return Check("the sandbox held", len(failed), tuple(found))
