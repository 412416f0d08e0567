"""One process that examines candidates one after another, until it should not any more.

An examiner stays for the next job because a fork costs more than most examinations. It is removed after tests that
could have left something behind in it, and when it gave no verdict.

It holds one descriptor besides its job's: a socket to the supervisor. Each job comes with a random token, and a
report without that token decides nothing; so whatever code a job's tests run, it can speak for this job alone.
"""

import os
import random
import resource
import signal
import time
from typing import NoReturn

from . import cases, channel, examiner, passing, wire
from .assignment import Assignment
from .isolation import Isolation
from .processes import cpu_clock
from .wire import JobHeader, Report, Verdict

_LARGE_KILOBYTES = 200 * 2**10
_PATIENCE_SECONDS = 10
"""The time an examiner has to accept a part of its job."""

_DEATH_SECONDS = 1.0
"""The time a process has to end once its descriptors are closed."""

_FORGED = b"a report on this program did not come from its examiner"


class ExaminerProcess:
    """Holds one examiner at a time, forked from the pristine supervisor."""

    def __init__(self, isolation: Isolation) -> None:
        """There is no process at first."""
        self.pid = 0
        self._isolation = isolation
        self._control: passing.Socket | None = None
        self._buffer = memoryview(bytearray(wire.CHUNK_BYTES))
        self._memory_bytes = 0
        self._spent = 0.0
        self._leaving = False
        self._evaluates = False
        self._token = b""
        self._oom_kills = 0

    def fill(self, header: JobHeader) -> None:
        """Ensure that an examiner exists, and may use as much memory as this job says."""
        if self.pid and self._memory_bytes != header.memory_bytes:
            self.clear()
        if self.pid:
            return
        self._leaving = self._evaluates = False
        self._memory_bytes = header.memory_bytes
        self._control, theirs = passing.message_pair()
        passing.set_patience(self._control, _PATIENCE_SECONDS)
        self.pid = os.fork()
        if not self.pid:
            try:
                os.dup2(0, 2)
                channel.close_all_but((theirs.fileno(),))
                self._isolation.confine_examiner(header)
                _serve(theirs)
            finally:
                os._exit(0)
        theirs.close()

    def assign(self, header: JobHeader, fds: tuple[int, ...], inlet: int | None, oom_kills: int) -> None:
        """Hand over a job whose candidate is at the other ends of `fds`.

        The job's body is passed on from `inlet`; None for another run of a job that the examiner has. `oom_kills` is
        the isolation's count before the job. Raises StreamError.
        """
        self._token = os.urandom(wire.TOKEN_BYTES)
        self._oom_kills = oom_kills
        head = self._token + wire.pack_job(header)
        missing = header.body_bytes if inlet is not None else 0
        while True:
            size = 0
            if inlet is not None and missing:
                size = os.readv(inlet, [self._buffer[: min(missing, wire.CHUNK_BYTES)]])
                if not size:
                    raise wire.StreamError("the stream ended")
            self._give(head, size, fds)
            missing -= size
            head, fds = b"", ()
            if not missing:
                return

    def _give(self, head: bytes, size: int, fds: tuple[int, ...]) -> None:
        """Send the examiner `head` and what is in the buffer, which is empty afterwards.

        A process forked from this one must not find a program or a test in its memory.
        """
        assert self._control is not None
        try:
            passing.give(self._control, (head, self._buffer[:size]), fds)
        except OSError:  # it has died since the last job, or hangs: no verdict will come
            os.kill(self.pid, signal.SIGKILL)
        self._buffer[:size] = bytes(size)

    def send_exit_code(self, exit_code: int) -> None:
        """Tell the examiner that the candidate, with all its children, has ended, and how."""
        assert self._control is not None
        try:
            self._control.send(wire.EXIT.pack(exit_code))
        except OSError:  # as above
            return

    def fileno(self) -> int:
        """To wait on: readable when there is a report, or no examiner any more."""
        assert self._control is not None
        return self._control.fileno()

    def report(self) -> Report | None:
        """The report that has arrived; None where it only announced that the examiner must not stay.

        Its verdict is NONE where the examiner has died by no fault of the program.
        """
        assert self._control is not None
        try:
            data = self._control.recv(wire.REPORT_BYTES)
        except OSError:
            data = b""
        if not data:
            return self._report_death()
        report = wire.unpack_report(self._token, data)
        if report is None:
            self.clear()
            return Report(Verdict.EXITED, detail=_FORGED)
        self._leaving |= report.leaving
        self._evaluates |= report.leaving and report.detail == wire.EVALUATES
        if report.verdict is Verdict.NONE:
            return None
        if self._leaving and report.verdict is not Verdict.NEXT:
            self.clear()
        return report

    def _report_death(self) -> Report:
        died = self._has_died()
        exit_code = self.clear()
        if not died:  # it lives, and its socket is closed: not by its own code
            return Report(Verdict.EXITED, detail=_FORGED)
        if exit_code == -signal.SIGKILL and self._isolation.oom_kills() != self._oom_kills:
            return Report(Verdict.MEMORY, detail=b"the program and its tests filled the memory of the sandbox")
        if self._evaluates:
            return Report(Verdict.EXITED, detail=b"its text, which the tests evaluate, ended the examiner")
        return Report(Verdict.NONE)

    def _has_died(self) -> bool:
        deadline = time.monotonic() + _DEATH_SECONDS
        while not os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def clear(self) -> int:
        """Remove the examiner, with every process that its tests have started. Returns its exit code."""
        if not self.pid:
            return 0
        self._isolation.kill_examiner(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        self._spent = usage.ru_utime + usage.ru_stime
        self.pid = 0
        if self._control is not None:
            self._control.close()
            self._control = None
        return os.waitstatus_to_exitcode(status)

    def cpu_seconds(self) -> float:
        """CPU seconds of the present examiner, or of the last one."""
        return cpu_clock(self.pid) if self.pid else self._spent


def _serve(control: passing.Socket) -> NoReturn:
    """Examine one candidate after another until the supervisor is gone."""
    while True:
        assignment = Assignment(control)
        job, header = assignment.job, assignment.header
        if not examiner.is_pure(job, header.whole):
            assignment.announce_leaving(evaluates=job["mode"] == "evaluating")
        if header.whole:
            random.seed(0)  # a checker gives the same verdict every time
            verdict, detail = cases.examine(assignment)
        else:
            verdict, detail = _examine_functions(assignment)
        assignment.report(verdict, detail, _is_worn(verdict))


def _examine_functions(assignment: Assignment) -> tuple[Verdict, str]:
    """The verdict on a program whose functions are called, and one line of reasons."""

    def another() -> channel.Channel:
        os.close(assignment.fds[0])
        return channel.Channel(assignment.next_run()[0], assignment.header.answer_bytes)

    first = channel.Channel(assignment.fds[0], assignment.header.answer_bytes)
    verdict, detail = examiner.examine(assignment.job, first, another)
    os.close(assignment.fds[0])
    return verdict, detail


def _is_worn(verdict: Verdict) -> bool:
    """Return whether this process has grown too large for another job."""
    return verdict is Verdict.MEMORY or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _LARGE_KILOBYTES
