"""Jobs that wait behind a slow program run elsewhere meanwhile, each of them once."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from sandbox import Job, Limits, Sandbox, Status, open_sandbox
from sandbox.cases import Case, program_tests
from sandbox.connection import GuestConnection
from sandbox.pool import _Worker
from tests.engine import require_engine

ADD = "def f(a, b):\n    return a + b\n"


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def two_guests(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Two guests: one may be slow, the other has to do the rest."""
    if request.param == "docker":
        require_engine()
    with open_sandbox(request.param, workers=2) as sandbox:
        yield sandbox


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the jobs that guests have returned."""
    keys: list[str] = []
    take_back = _Worker._take_back

    def watched(worker: _Worker) -> None:
        keys.append(worker._at_hand[1].job.key)
        take_back(worker)

    monkeypatch.setattr(_Worker, "_take_back", watched)
    return keys


def sleeps(key: str, seconds: float) -> Job:
    """A right program that takes its time."""
    return Job(key, f"import time\ntime.sleep({seconds})\n{ADD}", "assert f(1, 2) == 3", "f")


def adds(n: int, padding: int = 0) -> Job:
    """A job whose program passes where `n` is odd."""
    return Job(str(n), f"{ADD}# {'x' * padding}", f"assert f({n}, 1) == {n + n % 2}", "f")


def assert_each_once(results: Sequence[tuple[str, Status]], numbers: Sequence[int]) -> None:
    assert Counter(key for key, _ in results if key.isdigit()) == Counter(map(str, numbers))
    assert [key for key, status in results if key.isdigit() and (status is Status.PASSED) != (int(key) % 2 == 1)] == []


def test_jobs_behind_a_slow_program_do_not_wait_for_it(two_guests: Sandbox, returned: list[str]):
    jobs = [*map(adds, range(10)), sleeps("slow", 4.0), *map(adds, range(10, 40))]
    results = [(job.key, outcome.status) for job, outcome in two_guests.run(jobs)]
    assert results[-1] == ("slow", Status.PASSED)
    assert_each_once(results, range(40))
    assert returned
    assert "slow" not in returned


def test_every_job_among_slow_programs_comes_back_once(two_guests: Sandbox, returned: list[str]):
    rng = random.Random(0)
    jobs = [sleeps(f"slow {n}", rng.choice([0.2, 0.3, 0.5])) for n in range(12)] + [*map(adds, range(60))]
    rng.shuffle(jobs)
    results = [(job.key, outcome.status) for job, outcome in two_guests.run(jobs)]
    assert_each_once(results, range(60))
    assert sorted(key for key, _ in results if not key.isdigit()) == sorted(f"slow {n}" for n in range(12))
    assert {status for key, status in results if not key.isdigit()} == {Status.PASSED}
    assert returned


def test_long_jobs_are_returned_whole(two_guests: Sandbox, returned: list[str]):
    jobs = [adds(n, padding=n * 20_000) for n in range(40)]
    jobs.insert(10, sleeps("slow", 3.0))
    results = [(job.key, outcome.status) for job, outcome in two_guests.run(jobs)]
    assert_each_once(results, range(40))
    assert returned


def test_one_guest_alone_does_what_it_has_returned(returned: list[str]):
    with open_sandbox("process", workers=1) as sandbox:
        jobs = [adds(0), adds(1), sleeps("slow", 1.0), *map(adds, range(2, 20))]
        results = [(job.key, outcome.status) for job, outcome in sandbox.run(jobs)]
    assert ("slow", Status.PASSED) in results
    assert_each_once(results, range(20))
    assert returned


def test_programs_that_are_all_slow_are_sent_one_by_one(monkeypatch: pytest.MonkeyPatch):
    sent: list[int] = []
    send = GuestConnection.send

    def watched(line: GuestConnection, jobs: Sequence[Job]) -> None:
        sent.append(len(jobs))
        send(line, jobs)

    monkeypatch.setattr(GuestConnection, "send", watched)
    with open_sandbox("process", workers=2) as sandbox:
        results = [outcome.status for _, outcome in sandbox.run(sleeps(str(n), 0.4) for n in range(16))]
    assert results == [Status.PASSED] * 16
    assert sum(sent) <= 16 + 2 * 5  # each guest returned the rest of its first message and nothing more


def test_a_stuck_whole_program_returns_what_is_behind_it(two_guests: Sandbox):
    tests = program_tests([Case("1\n", "2\n"), Case("2\n", "3\n")])
    jobs = [Job(str(n), "print(int(input()) + 1)", tests, language="python") for n in range(1, 40, 2)]
    jobs.insert(6, Job("stuck", "while True: input", tests, language="python", limits=Limits(cpu_seconds=3.0)))
    results = [(job.key, outcome.status) for job, outcome in two_guests.run(jobs)]
    assert results[-1] == ("stuck", Status.TIMEOUT)
    assert_each_once(results, range(1, 40, 2))


@pytest.mark.docker
def test_guests_killed_while_they_return_jobs_lose_none():
    require_engine()
    over = threading.Event()

    def kill_some(sandbox: Sandbox) -> None:
        rng = random.Random(1)
        kills = 0
        while kills < 6 and not over.wait(0.35):
            lines = [line for line in list(sandbox._lines) if line.waiting]  # type: ignore[attr-defined]
            if lines:  # one that works, and may be at a slow program
                guest = rng.choice(lines)._guest
                guest._api.kill(guest._id)
                kills += 1

    jobs = [job for n in range(0, 90, 9) for job in (sleeps(f"slow {n}", 0.5), *map(adds, range(n, n + 9)))]
    with open_sandbox("docker", workers=3) as sandbox:
        thread = threading.Thread(target=kill_some, args=(sandbox,))
        thread.start()
        results = [(job.key, outcome.status) for job, outcome in sandbox.run(jobs)]
        over.set()
        thread.join()
    assert_each_once(results, range(90))
    assert Counter(status for key, status in results if not key.isdigit()) == {Status.PASSED: 10}


def test_leaving_early_while_jobs_are_returned(two_guests: Sandbox):
    started = time.monotonic()
    jobs = itertools.chain(map(adds, range(10)), [sleeps("slow", 60.0)], map(adds, range(10, 40)))
    assert len(list(itertools.islice(two_guests.run(jobs), 30))) == 30
    assert time.monotonic() - started < 20
    assert [outcome.status for _, outcome in two_guests.run([adds(1)])] == [Status.PASSED]
