"""The limit of one call: evalplus's rule, and that of contests."""

import dataclasses
import json

import pytest

from benchmarks.problem import Problem
from harness.stages.grade import Budget, plan_problems
from sandbox import Job, Limits, Outcome, Sandbox, Status

LIMITS = Limits(cpu_seconds=20.0, wall_seconds=60.0, call_seconds=0.4)
BUSY = """
import time
def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
    return seconds
"""
TESTS = "for seconds in {}: assert busy(seconds) == seconds"


def _outcome(sandbox: Sandbox, program: str, tests: str, limits: Limits = LIMITS) -> Outcome:
    ((_, outcome),) = sandbox.run([Job("x", program, tests, entry_point="busy", limits=limits)])
    return outcome


def test_a_slow_call_is_a_timeout(any_sandbox: Sandbox):
    outcome = _outcome(any_sandbox, BUSY, TESTS.format("(0.01, 30.0)"))
    assert (outcome.status, outcome.reward) == (Status.TIMEOUT, 0.0)
    assert outcome.detail.startswith("one call took more than 0.4 s")
    assert 0.3 < outcome.cpu_seconds < 5.0


def test_many_quick_calls_may_take_longer_together(any_sandbox: Sandbox):
    outcome = _outcome(any_sandbox, BUSY, TESTS.format("[0.1] * 8"))
    assert outcome.status is Status.PASSED
    assert outcome.cpu_seconds > 2 * LIMITS.call_seconds - 0.1


def test_loading_the_program_is_no_call(any_sandbox: Sandbox):
    assert _outcome(any_sandbox, f"{BUSY}\nbusy(0.8)", TESTS.format("(0.01,)")).status is Status.PASSED


def test_calls_inside_of_a_call_are_part_of_it(any_sandbox: Sandbox):
    program = f"{BUSY}\nspend = busy\ndef busy(f): return f() + spend(0.3)"
    quick = "def again(): return 0\nassert busy(again) == 0.3"
    assert _outcome(any_sandbox, program, quick).status is Status.PASSED
    nested = "def again(): return busy(lambda: 0)\nassert busy(again) > 0.5"
    assert _outcome(any_sandbox, program, nested).status is Status.TIMEOUT


def test_a_call_that_sleeps(any_sandbox: Sandbox):
    limits = dataclasses.replace(LIMITS, call_seconds=0.05)
    outcome = _outcome(any_sandbox, "import time\ndef busy(s): time.sleep(50)", TESTS.format("(1,)"), limits)
    assert outcome.status is Status.TIMEOUT
    assert outcome.wall_seconds < 30.0


def test_a_program_that_resets_the_timers_has_the_limit_of_the_job(any_sandbox: Sandbox):
    program = "import signal\ndef busy(s):\n    signal.setitimer(signal.ITIMER_PROF, 0)\n    while True: pass"
    outcome = _outcome(any_sandbox, program, TESTS.format("(1,)"), dataclasses.replace(LIMITS, cpu_seconds=1.0))
    assert outcome.status is Status.TIMEOUT
    assert "call" not in outcome.detail


@pytest.mark.parametrize(("seconds", "limit"), [(0.01, 0.5), (0.3, 1.2)])
def test_the_limit_follows_the_slowest_call_of_the_reference(process_sandbox: Sandbox, seconds: float, limit: float):
    tests = TESTS.format([0.0, seconds, 0.0])
    problem = Problem("x", "", "busy", tests, solution=BUSY, timeout=60.0, call_timeout=0.5)
    plan = plan_problems([problem], process_sandbox, Budget())["x"]
    limits = Budget().limits(plan, problem)
    assert limits.cpu_seconds == 60.0
    assert limits.call_seconds == pytest.approx(limit, abs=0.1)
    assert Budget(cpu_seconds=2.0).limits(plan, problem).call_seconds == 0.0
    assert json.dumps(dataclasses.asdict(plan))  # it is kept with the run
