"""Endless loops end early, as a timeout; slow programs that end are left to their end."""

import pytest

from sandbox import Job, Limits, Outcome, Sandbox, Status
from sandbox.cases import Case, program_tests
from tests.loop_programs import ENDLESS, fuel

LIMITS = Limits(cpu_seconds=6.0, wall_seconds=60.0)
EARLY = "an endless loop, whose state returns"


def _outcome(sandbox: Sandbox, job: Job) -> Outcome:
    ((_, outcome),) = sandbox.run([job])
    return outcome


def _indented(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.split("\n"))


@pytest.mark.parametrize("name", ["a cycle of three", "functions", "a state that two names share"])
def test_endless_functions_end_early(any_sandbox: Sandbox, name: str):
    program = f"{ENDLESS[name]}\ndef f():\n    return 1"
    called = f"def f():\n{_indented(ENDLESS[name])}\n    return 1"
    for text in (program, called):
        outcome = _outcome(any_sandbox, Job(name, text, "assert f() == 1", entry_point="f", limits=LIMITS))
        assert outcome.status is Status.TIMEOUT
        assert outcome.detail.startswith(EARLY)
        assert outcome.cpu_seconds < LIMITS.cpu_seconds / 2


def test_endless_whole_programs_end_early(any_sandbox: Sandbox):
    tests = program_tests([Case("1\n", "1\n"), Case("2\n", "2\n")])
    program = "n = int(input())\nprint(n)\nwhile n > 1:\n    n = abs(n)\n"
    outcome = _outcome(any_sandbox, Job("x", program, tests, language="python", limits=LIMITS))
    assert outcome.status is Status.TIMEOUT
    assert outcome.detail.startswith(f"case 2: {EARLY}")


@pytest.mark.parametrize("name", ["an iterator", "a default", "a closure", "a generator", "a global name"])
def test_slow_programs_come_to_their_end(any_sandbox: Sandbox, name: str):
    setup, spent = fuel(name, 8_000_000)
    program = f"{setup}\na, b = 1, 2\nwhile True:\n    a, b = b, a\n    if {spent}: break\ndef f(): return a + b"
    outcome = _outcome(any_sandbox, Job(name, program, "assert f() == 3", entry_point="f", limits=LIMITS))
    assert outcome.status is Status.PASSED
    assert outcome.cpu_seconds > 0.15  # long enough to have been searched


def test_a_deep_recursion_is_left_alone(any_sandbox: Sandbox):
    program = """
def busy():
    n = 0
    while n < 30_000_000:
        n += 1
    return n
def f(n):
    return busy() if n == 0 else f(n - 1)
"""
    outcome = _outcome(any_sandbox, Job("x", program, "assert f(975) == 30_000_000", entry_point="f", limits=LIMITS))
    assert outcome.status is Status.PASSED
    assert outcome.cpu_seconds > 0.15


def test_a_program_that_ends_itself_so_has_no_reward(any_sandbox: Sandbox):
    program = "import os\ndef f():\n    os.kill(os.getpid(), 24)"
    outcome = _outcome(any_sandbox, Job("x", program, "assert f() == 1", entry_point="f", limits=LIMITS))
    assert outcome.status in (Status.TIMEOUT, Status.EXITED)
    assert outcome.reward == 0.0


def test_a_program_that_ignores_the_search_runs_into_its_limit(any_sandbox: Sandbox):
    program = "import os, signal\nsignal.signal(signal.SIGURG, signal.SIG_IGN)\ndef f():\n    while True: pass"
    limits = Limits(cpu_seconds=0.5, wall_seconds=30.0)
    outcome = _outcome(any_sandbox, Job("x", program, "assert f() == 1", entry_point="f", limits=limits))
    assert outcome.status is Status.TIMEOUT
    assert outcome.detail.endswith("s of CPU time")
    assert not outcome.detail.startswith(EARLY)
