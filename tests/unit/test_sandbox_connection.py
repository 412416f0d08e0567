"""A guest's frames as the pool sees them: what is out of turn counts for nothing."""

import pytest

from sandbox import Job, Status
from sandbox.backend import GuestError
from sandbox.connection import GuestConnection
from sandbox.guest import wire
from sandbox.guest.wire import Kind, Verdict

PASSED = wire.pack_result(wire.Result(Verdict.PASSED, 0.1, 0.2, 0, 0))


class Recording:
    """A guest that says what it was told to say, then nothing."""

    def __init__(self, *frames: bytes) -> None:
        self._said = wire.pack_frame(Kind.READY, 0) + b"".join(frames)

    def write(self, data: bytes) -> None:
        return None

    def read_exact(self, size: int, timeout: float) -> bytes:
        if len(self._said) < size:
            raise GuestError("the end")
        data, self._said = self._said[:size], self._said[size:]
        return data

    def stop(self) -> None:
        return None


def after_three_jobs(*frames: bytes) -> GuestConnection:
    """A guest that has three jobs, and says `frames`."""
    line = GuestConnection(Recording(*frames), 0)
    line.send([Job(str(n), "", "") for n in range(1, 4)])
    return line


def events(line: GuestConnection) -> tuple[list[str], str, Status]:
    """The calls before the first outcome, then the job and the status of that outcome."""
    seen: list[str] = []
    job, outcome = line.receive(lambda: seen.append("slow"), lambda: seen.append("back"))
    return seen, job.key, outcome.status


def test_jobs_are_returned_in_their_order_and_wait_no_more():
    returned = [wire.pack_frame(Kind.RETURNED, number) for number in (2, 3)]
    line = after_three_jobs(
        returned[0], wire.pack_frame(Kind.BEAT, 1), returned[1], wire.pack_frame(Kind.RESULT, 1, PASSED)
    )
    assert events(line) == (["back", "slow", "back"], "1", Status.PASSED)
    assert not line.waiting


def test_the_jobs_after_a_returned_one_keep_their_numbers():
    line = after_three_jobs(
        wire.pack_frame(Kind.RETURNED, 2), *(wire.pack_frame(Kind.RESULT, number, PASSED) for number in (1, 3, 4))
    )
    assert events(line) == (["back"], "1", Status.PASSED)
    line.send([Job("4", "", "")])
    assert [events(line)[1] for _ in range(2)] == ["3", "4"]


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        *[(Kind.RETURNED, number) for number in (0, 1, 3, 4)],  # the one that runs, one too early, one never sent
        *[(Kind.RESULT, number) for number in (0, 2, 3, 4)],
        (Kind.READY, 0),
    ],
)
def test_a_frame_out_of_turn_is_a_fault_of_the_guest(kind: Kind, number: int):
    line = after_three_jobs(wire.pack_frame(kind, number, PASSED if kind is Kind.RESULT else b""))
    with pytest.raises(GuestError, match="out of turn"):
        events(line)
    assert [job.key for job in line.waiting.values()] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        PASSED[:-1],
        b"\xff" + PASSED[1:],
        wire.pack_result(wire.Result(Verdict.NEXT, 0.1, 0.2, 0, 0)),
        wire.pack_result(wire.Result(Verdict.PASSED, float("nan"), 0.2, 0, 0)),
    ],
)
def test_a_result_that_is_none_is_a_fault_of_the_guest(payload: bytes):
    line = after_three_jobs(wire.pack_frame(Kind.RESULT, 1, payload))
    with pytest.raises(GuestError, match="the guest sent"):
        events(line)
    assert [job.key for job in line.waiting.values()] == ["1", "2", "3"]


def test_a_job_that_was_returned_has_no_result():
    line = after_three_jobs(
        wire.pack_frame(Kind.RETURNED, 2), *[wire.pack_frame(Kind.RESULT, n, PASSED) for n in (1, 2)]
    )
    assert events(line)[1] == "1"
    with pytest.raises(GuestError, match="out of turn"):
        events(line)
