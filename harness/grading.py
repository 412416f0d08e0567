"""Grade: run every program of a run in a sandbox and keep what became of it."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from benchmarks import Problem
from harness.completion import Completion, SampleId
from harness.store import Store
from harness.terminal import Terminal
from sandbox import Job, Limits, Outcome, Sandbox, Status

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


def limits_of(cpu_seconds: float | None) -> Limits:
    """The limits of a grading: the sandbox's own, or with another CPU time and a wall time in proportion."""
    usual = Limits()
    if cpu_seconds is None:
        return usual
    return replace(usual, cpu_seconds=cpu_seconds, wall_seconds=cpu_seconds * usual.wall_seconds / usual.cpu_seconds)


def grader_key(sandbox: Sandbox, limits: Limits) -> str:
    """Names a grader by all that may change a verdict: the sandbox's image and code, and the limits."""
    text = json.dumps([sandbox.identity, asdict(limits)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def grade(store: Store, sandbox: Sandbox, limits: Limits, terminal: Terminal) -> Graded:
    """Run every program that this grader has not judged; verdicts are committed as they come."""
    grader = grader_key(sandbox, limits)
    total = len(store.sample_ids())
    reused = len(store.verdicts(grader))
    if reused:
        terminal.say(f"Grading: {reused:,} of {total:,} verdicts are there already.")
    problems = {problem.id: problem for problem in store.problems()}
    broken = passed = 0
    with terminal.progress("Grading", total, reused) as advance, _kept(store, grader) as keep:
        for sample, outcome in _outcomes(sandbox, jobs(store.ungraded(grader), problems, limits)):
            if outcome.status is Status.BROKEN:
                broken += 1
            else:
                keep(sample, outcome)
            passed += outcome.status is Status.PASSED
            advance(1, f"{passed:,} passed")
    store.note("grader", grader)
    return Graded(grader, total - reused - broken, reused, broken)


def jobs(completions: Iterable[Completion], problems: Mapping[str, Problem], limits: Limits) -> Iterator[Job]:
    """What the sandbox is asked to run."""
    for completion in completions:
        problem = problems[completion.problem_id]
        yield Job(
            key=json.dumps(completion.id),
            program=completion.program,
            tests=problem.tests,
            entry_point=problem.entry_point,
            setup=problem.setup,
            limits=limits,
        )


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
