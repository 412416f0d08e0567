"""A problem's grading follows from its reference: wrong programs fail, and right ones pass as in one process."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox import Job, Limits, Outcome, Sandbox, Status
from sandbox.grading_mode import GradingPlan, plan_grading

FOLDER = Path(__file__).parent.parent / "corpus" / "modes"
SHARED = {
    "prints through a captured stream", "forbidden built-in function", "recursion is limited", "leaves a thread behind",
    "fooled apart, though its tests watch the interpreter", "printing is captured", "input is patched",
    "threads of the tests",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A program, and the problem that it is set."""

    name: str
    entry_point: str
    tests: str
    solution: str
    program: str


def read(kind: str) -> Iterator[Case]:
    """All programs of a corpus."""
    for part in (FOLDER / f"{kind}.txt").read_text().split("=== ")[1:]:
        title, _, rest = part.partition("\n")
        head, _, rest = rest.partition("--- tests\n")
        tests, _, rest = rest.partition("--- solution\n")
        solution, _, program = rest.partition("--- program\n")
        yield Case(title.strip(), head.removeprefix("--- entry ").strip() or "solve", tests, solution, program)


def grade(sandbox: Sandbox, cases: list[Case]) -> dict[str, tuple[GradingPlan, Outcome]]:
    """Each program's outcome, graded as its problem's reference asks."""
    jobs = [Job(case.name, case.solution, case.tests, case.entry_point, limits=Limits(10.0, 60.0)) for case in cases]
    plans = {job.key: plan for job, plan in plan_grading(sandbox, jobs)}
    assert {name: plan.trouble for name, plan in plans.items() if plan.trouble} == {}
    programs = {case.name: case.program for case in cases}
    limits = Limits()
    ready = [plans[job.key].apply(replace(job, program=programs[job.key], limits=limits)) for job in jobs]
    return {job.key: (plans[job.key], outcome) for job, outcome in sandbox.run(ready)}


def test_wrong_programs_fail(process_sandbox: Sandbox):
    outcomes = grade(process_sandbox, list(read("wrong")))
    assert {name: outcome for name, (_, outcome) in outcomes.items() if outcome.reward != 0.0} == {}


def test_right_programs_pass(process_sandbox: Sandbox):
    outcomes = grade(process_sandbox, list(read("right")))
    assert {name: outcome for name, (_, outcome) in outcomes.items() if outcome.status is not Status.PASSED} == {}


def test_only_tests_that_watch_their_interpreter_share_a_process(process_sandbox: Sandbox):
    outcomes = grade(process_sandbox, [*read("wrong"), *read("right")])
    assert {name for name, (plan, _) in outcomes.items() if plan.mode == "shared"} == SHARED


def test_without_a_solution_a_limit_is_no_failure(process_sandbox: Sandbox):
    outcomes = grade(process_sandbox, list(read("unsure")))
    assert {name: outcome for name, (_, outcome) in outcomes.items() if name.split()[-1] != outcome.status} == {}
    assert outcomes["a changed argument unsupported"][1].reward is None


def test_a_forced_mode_is_the_only_one(process_sandbox: Sandbox):
    program = "class R:\n    size = 3\ndef solve(n): return R()"
    job = Job("one", "", "assert solve(1).size == 3", "solve", forced="shared")
    ((_, plan),) = plan_grading(process_sandbox, [job])
    ((_, outcome),) = process_sandbox.run([plan.apply(replace(job, program=program))])
    assert (plan.mode, outcome.status, outcome.mode) == ("shared", Status.PASSED, "shared")
    separate = replace(job, program=program, forced="separate")
    ((_, plan),) = plan_grading(process_sandbox, [separate])
    assert plan.mode == "separate"
    assert "may not be asked for 'size'" in plan.trouble


def test_a_seed_repeats_a_random_failure(process_sandbox: Sandbox):
    tests = "import random\nn = random.randint(0, 10**9)\nassert solve(n) == n, n"
    job = Job("one", "def solve(n): return -1", tests, "solve", seed=7)
    details = {outcome.detail for _, outcome in process_sandbox.run([job, job])}
    assert len(details) == 1
    assert "(random seed 7)" in details.pop()
    other = {outcome.detail for _, outcome in process_sandbox.run([replace(job, seed=None)] * 2)}
    assert len(other) == 2


LONG = "def solve(n):\n    return 'x' * n"


def test_an_answer_that_is_too_long_is_no_failure_of_an_honest_program(process_sandbox: Sandbox):
    tests = "assert len(solve(20_000_000)) == 20_000_000\nassert solve(1) == 'x'"
    jobs = [Job("right", LONG, tests, "solve"), Job("wrong", LONG.replace("'x'", "'ab'"), tests, "solve")]
    outcomes = {job.key: outcome for job, outcome in process_sandbox.run(jobs)}
    assert outcomes["right"].status is Status.UNSUPPORTED
    assert "20,000" in outcomes["right"].detail
    assert "is more than the 16,777,216 that may cross" in outcomes["right"].detail
    assert outcomes["wrong"].status is Status.EXITED
