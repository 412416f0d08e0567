"""Programs that try to leave themselves ungraded, or to hold up others: each has failed, within a bounded time."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sandbox_programs import read_plain

from sandbox import Job, Limits, Sandbox, Status, open_sandbox
from sandbox.docker import seccomp
from tests.engine import require_engine

pytestmark = pytest.mark.docker

DENIALS = read_plain("denials")
TESTS = "def check(candidate):\n    assert candidate(3) == 9\n"
LIMITS = Limits(cpu_seconds=0.5, wall_seconds=5.0)
SQUARE = "def solve(n):\n    return n * n\n"


@pytest.fixture(scope="module")
def lone_sandbox() -> Iterator[Sandbox]:
    """One container, so that a job waits for the one before."""
    require_engine()
    with open_sandbox("docker", workers=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", DENIALS)
def test_a_denial_has_failed_in_bounded_time(lone_sandbox: Sandbox, name: str):
    jobs = [Job(name, DENIALS[name], TESTS, "solve", limits=LIMITS), Job("next", SQUARE, TESTS, "solve")]
    started = time.monotonic()
    outcomes = {job.key: outcome for job, outcome in lone_sandbox.run(jobs)}
    assert time.monotonic() - started < 30  # of which a new container takes a few, on a busy machine
    assert outcomes[name].reward == 0.0, outcomes[name]
    assert outcomes[name].wall_seconds < 12
    assert outcomes["next"].status is Status.PASSED


def test_memory_that_the_program_filled_is_its_failure(lone_sandbox: Sandbox):
    names = ["one text that grows tenfold in the examiner", "millions of empty lists"]
    jobs = [
        Job(f"{name} {n}", DENIALS[name], TESTS, "solve", limits=replace(LIMITS, cpu_seconds=3.0))
        for name in names
        for n in range(4)
    ]
    outcomes = [outcome for _, outcome in lone_sandbox.run(jobs)]
    assert len(outcomes) == len(jobs)
    assert {outcome.reward for outcome in outcomes} == {0.0}, outcomes


def test_memory_is_the_programs_failure_also_where_the_kernel_has_no_landlock(monkeypatch: pytest.MonkeyPatch):
    require_engine()
    rights = {why: names for why, names in seccomp._ALLOWED.items() if "landlock" not in names}
    assert len(rights) == len(seccomp._ALLOWED) - 1
    monkeypatch.setattr(seccomp, "_ALLOWED", rights)
    lowered = "import os\nassert os.system('echo 0 > /proc/self/oom_score_adj') == 0\n" + SQUARE
    names = ["one text that grows tenfold in the examiner", "millions of empty lists"]
    jobs = [Job(f"{name} {n}", DENIALS[name], TESTS, "solve", limits=LIMITS) for name in names for n in range(3)]
    with open_sandbox("docker", workers=1) as sandbox:
        ((_, outcome),) = sandbox.run([Job("lowered", lowered, TESTS, "solve")])
        assert outcome.status is Status.PASSED  # so this is such a kernel
        outcomes = [outcome for _, outcome in sandbox.run(jobs)]
    assert {outcome.reward for outcome in outcomes} == {0.0}, outcomes


def test_an_examiner_killed_for_memory_is_the_programs_failure_and_any_other_death_is_not(lone_sandbox: Sandbox):
    filling = "assert f(1) == 1\nx = []\nwhile True: x.append(bytearray(1 << 20))"
    program = "def f(x):\n    return x"
    ((_, filled),) = lone_sandbox.run([Job("filled", program, filling, "f")])
    assert filled.status is Status.MEMORY
    ((_, crashed),) = lone_sandbox.run([Job("crashed", program, "import os\nassert f(1) == 1\nos._exit(9)", "f")])
    assert crashed.status is Status.BROKEN
