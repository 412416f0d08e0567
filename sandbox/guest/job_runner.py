"""All who work on a job, and how one is seen through: functions are examined once, a whole program once a case."""

import math
import os
import select
import time

from . import passing, wire
from .examiner_process import ExaminerProcess
from .isolation import Isolation
from .outbox import Outbox
from .time_limits import Heartbeat, TimeLimits
from .wire import JobHeader, Kind, Result, Verdict
from .zygote import Zygote

_GRACE_SECONDS = 0.5
"""How long the examiner may take to notice that its candidate has ended."""

_AGAIN_SECONDS = 0.05


class JobRunner:
    """The zygote, the examiner's chair and the isolation, at work on one job after another."""

    def __init__(self, examiner: ExaminerProcess, zygote: Zygote, outbox: Outbox, isolation: Isolation) -> None:
        """Begin with nobody there."""
        self._examiner = examiner
        self._zygote = zygote
        self._outbox = outbox
        self._isolation = isolation
        self._heartbeat = Heartbeat()
        self._occupied = False  # whether there is a candidate

    def run(self, header: JobHeader) -> Result:
        """See one job through: a candidate is born, is examined, and is gone with all it left."""
        self._heartbeat = Heartbeat()
        try:
            return self._run_whole(header) if header.whole else self._run_functions(header)
        except wire.StreamError:  # the host is gone: leave nobody behind
            self._examiner.clear()
            if self._occupied:
                self._sweep()
            raise

    def _run_functions(self, header: JobHeader) -> Result:
        cpu_seconds = wall_seconds = 0.0
        while True:
            result = self._run_once(header)
            cpu_seconds = max(cpu_seconds, result.cpu_seconds)
            wall_seconds = max(wall_seconds, result.wall_seconds)
            if result.verdict is not Verdict.NEXT:
                return result._replace(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds)
            self._isolation.clean()

    def _run_once(self, header: JobHeader) -> Result:
        """One run of a program whose functions are called. NEXT where it must pass in another way too."""
        near, far = passing.stream_pair()
        limits = self._begin(header, (near,), (far,))
        verdict = self._wait(limits, header, _GRACE_SECONDS)
        if verdict is None:
            verdict = Verdict.EXITED
        examiner_seconds = limits.examiner_seconds()
        if verdict in (Verdict.NONE, Verdict.TIMEOUT, Verdict.EXITED):
            self._examiner.clear()  # it may still be waiting for this candidate
        candidate_seconds, exit_code = self._sweep()
        cpu_seconds = candidate_seconds + examiner_seconds
        if verdict is not Verdict.NONE and cpu_seconds > header.cpu_seconds:
            verdict = Verdict.TIMEOUT
        return Result(verdict, cpu_seconds, limits.wall_seconds(), exit_code, 0)

    def _run_whole(self, header: JobHeader) -> Result:
        cpu_seconds = wall_seconds = 0.0
        case = 0
        while True:
            case += 1
            result = self._run_case(header)
            cpu_seconds = max(cpu_seconds, result.cpu_seconds)
            wall_seconds = max(wall_seconds, result.wall_seconds)
            if result.verdict is not Verdict.NEXT:
                return Result(result.verdict, cpu_seconds, wall_seconds, result.exit_code, case)
            self._isolation.clean()  # what one run learnt must not reach the next

    def _run_case(self, header: JobHeader) -> Result:
        """One run of a whole program. What it printed is compared when nothing of it is left."""
        near, far = passing.program_pair()
        limits = self._begin(header, near, far)
        verdict = self._wait(limits, header, 0.0)
        if verdict is not None:  # without knowing how it ended: it is a timeout, or the examiner has failed
            self._examiner.clear()
        candidate_seconds, exit_code = self._sweep()
        if verdict is None:
            self._examiner.tell(exit_code)
            verdict = self._wait(limits, header, math.inf) or Verdict.NONE
        cpu_seconds = candidate_seconds + limits.examiner_seconds()
        if verdict is not Verdict.NONE and cpu_seconds > header.cpu_seconds:
            verdict = Verdict.TIMEOUT
        if verdict in (Verdict.NONE, Verdict.TIMEOUT):
            self._examiner.clear()
        return Result(verdict, cpu_seconds, limits.wall_seconds(), exit_code, 0)

    def _begin(self, header: JobHeader, near: tuple[int, ...], far: tuple[int, ...]) -> TimeLimits:
        started = time.monotonic()
        self._zygote.fill(header)
        self._examiner.fill(header)
        limits = TimeLimits(header, self._zygote, self._examiner, self._isolation, started)
        self._occupied = True
        self._zygote.spawn(header, far)
        self._examiner.assign(header, near)
        for fd in (*far, *near):
            os.close(fd)
        return limits

    def _wait(self, limits: TimeLimits, header: JobHeader, grace: float) -> Verdict | None:
        """Wait for a verdict, a timeout, or the end of either process.

        None where the candidate has ended and no verdict came `grace` seconds after.
        """
        deadline = math.inf
        poller = select.poll()
        poller.register(self._examiner, select.POLLIN)
        if grace < math.inf:
            poller.register(self._zygote, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poller.poll(limits.next_look() * 1000)]
            if self._examiner.fileno() in ready:
                verdict = self._examiner.verdict()
                if verdict is not None:
                    return verdict
            elif ready:
                poller.unregister(self._zygote)
                deadline = time.monotonic() + grace
            if time.monotonic() >= deadline:
                return None
            if limits.is_over():
                return Verdict.TIMEOUT
            self._outbox.flush()
            if self._heartbeat.is_due(limits.started):
                self._outbox.put(wire.pack_frame(Kind.BEAT, header.number))

    def _sweep(self) -> tuple[float, int]:
        """End the candidate and all it left. Returns their CPU seconds, and the candidate's exit code."""
        candidate_pid = self._zygote.candidate_pid
        self._isolation.kill(candidate_pid)
        while not self._zygote.has_news(_AGAIN_SECONDS):  # it was too young to be reached
            self._isolation.kill(candidate_pid)
        seconds, exit_code = self._zygote.end()
        self._occupied = False
        return seconds + self._isolation.reap((self._zygote.pid, self._examiner.pid)), exit_code
