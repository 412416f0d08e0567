"""One guest as the pool sees it: jobs in, outcomes out, silence noticed."""

import itertools
import json
import math
import signal
import struct
from collections.abc import Callable, Sequence

from sandbox.backend import Guest, GuestError
from sandbox.guest import wire
from sandbox.guest.languages import LANGUAGES
from sandbox.guest.wire import Kind, Verdict
from sandbox.job import Job, Outcome, SandboxError, Status

_READY_SECONDS = 60.0
_SILENCE_SECONDS = 30.0
"""A guest that says nothing for so long hangs: while a program runs it says every second that all is well."""

_STATUS = {
    Verdict.PASSED: Status.PASSED,
    Verdict.FAILED: Status.FAILED,
    Verdict.ERROR: Status.ERROR,
    Verdict.SYNTAX: Status.SYNTAX,
    Verdict.TIMEOUT: Status.TIMEOUT,
    Verdict.MEMORY: Status.MEMORY,
    Verdict.EXITED: Status.EXITED,
    Verdict.UNTESTED: Status.UNTESTED,
    Verdict.UNSUPPORTED: Status.UNSUPPORTED,
}


class GuestConnection:
    """A guest, and the jobs that were sent to it and have not come back."""

    def __init__(self, guest: Guest, place: int) -> None:
        """Wait until the guest is ready. Raises GuestError."""
        self._guest = guest
        self.place = place
        self.waiting: dict[int, Job] = {}  # by number, in the order in which they were sent
        self._sent = 0
        self.proven = True  # whether the guest was well when it was last heard of, in this run
        self.retired = False  # whether the guest takes no more jobs, though nothing has failed
        kind, _, _ = self._frame(_READY_SECONDS)
        if kind is not Kind.READY:
            raise GuestError("the guest did not say that it is ready")

    def send(self, jobs: Sequence[Job]) -> None:
        """Queue jobs at the guest. They count as waiting also where this raises GuestError."""
        parts = []
        for job in jobs:
            _check_language(job)
            self._sent += 1
            self.waiting[self._sent] = job
            body = _body(job)
            parts += [wire.pack_job(_header(job, self._sent, len(body))), body]
        self._guest.write(b"".join(parts))

    def receive(self, still_running: Callable[[], None], take_back: Callable[[], None]) -> tuple[Job, Outcome]:
        """Wait for the outcome of the job that was sent first, and call `still_running` while it is slow.

        The guest may return the jobs behind a slow one, without having begun them: each, in the order in which they
        were sent, waits here no more, and `take_back` is called. Raises GuestError.
        """
        while True:
            kind, number, payload = self._frame(_SILENCE_SECONDS)
            first, *behind = itertools.islice(self.waiting, 2)
            if kind is Kind.BEAT:
                still_running()
            elif kind is Kind.RETURNED and [number] == behind:
                del self.waiting[number]
                take_back()
            elif kind is Kind.RESULT and number == first:
                self.proven = True
                result = _result(payload)
                self.retired = result.last
                outcome = _outcome(self.waiting[number], result)
                return self.waiting.pop(number), outcome
            else:
                raise GuestError("the guest answered out of turn")

    def stop(self) -> None:
        """End the guest at once."""
        self._guest.stop()

    def _frame(self, timeout: float) -> tuple[Kind, int, bytes]:
        try:
            kind, number, size = wire.unpack_frame(self._guest.read_exact(wire.FRAME_BYTES, timeout))
        except wire.StreamError as error:
            raise GuestError(str(error)) from error
        return kind, number, self._guest.read_exact(size, timeout) if size else b""


def _check_language(job: Job) -> None:
    if job.language and job.language not in LANGUAGES:
        raise SandboxError(f"Unknown language {job.language!r}. Choose from {', '.join(LANGUAGES)}.")


def _header(job: Job, number: int, body_bytes: int) -> wire.JobHeader:
    limits = job.limits
    reserved = LANGUAGES[job.language].reserved_bytes if job.language else 0
    return wire.JobHeader(
        number=number,
        body_bytes=body_bytes,
        cpu_seconds=limits.cpu_seconds,
        call_seconds=limits.call_seconds,
        wall_seconds=limits.wall_seconds,
        memory_bytes=limits.memory_bytes + reserved,
        processes=limits.processes,
        file_bytes=limits.file_bytes,
        answer_bytes=limits.output_bytes,
        whole=bool(job.language),
        threaded=bool(job.language and LANGUAGES[job.language].command),
    )


_FIELDS = (
    *("program", "language", "tests", "setup", "entry_point", "mode", "by_reference", "graph", "reference", "asked"),
    *("objects", "asks_classes", "apart", "unsure", "trace", "seed"),
)
"""The part of a job that the examiner reads."""


def _body(job: Job) -> bytes:
    return json.dumps({name: getattr(job, name) for name in _FIELDS}).encode("ascii")


def _result(payload: bytes) -> wire.Result:
    """Return a result. Raises GuestError for bytes that are none: the guest may be in a program's hands."""
    try:
        result = wire.unpack_result(payload)
        _ = Verdict(result.verdict)
    except (struct.error, ValueError) as error:
        raise GuestError("the guest sent bytes that are no result") from error
    if not (math.isfinite(result.cpu_seconds) and math.isfinite(result.wall_seconds)):
        raise GuestError("the guest sent times that are no numbers")
    return result


def _outcome(job: Job, result: wire.Result) -> Outcome:
    verdict = Verdict(result.verdict)
    detail = _printable(result.detail.decode("utf-8", "replace"))
    if verdict is Verdict.NONE:
        raise GuestError("the examiner was lost")
    if verdict not in _STATUS:
        raise GuestError("the guest sent a verdict that ends no job")
    if verdict is Verdict.EXITED and not job.language:
        detail = _how_it_left(result.exit_code) or detail
    elif verdict is Verdict.TIMEOUT:
        detail = f"{detail}: {_time_used(job, result)}" if detail else _time_used(job, result)
        detail = f"case {result.case}: {detail}" if result.case else detail
    return Outcome(_STATUS[verdict], detail, result.cpu_seconds, result.wall_seconds, job.mode)


def _time_used(job: Job, result: wire.Result) -> str:
    if result.detail or result.cpu_seconds >= job.limits.cpu_seconds:
        return f"{result.cpu_seconds:.1f} s of CPU time"
    return f"{result.wall_seconds:.1f} s on the clock"


def _how_it_left(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:  # by the supervisor, as a rule
        return ""
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"the program left with exit code {exit_code}"


def _printable(text: str) -> str:
    """Text of a program's making, without what would command a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
