"""The processes that work on a job, and its steps: functions are examined once, a whole program once per case."""

import itertools
import math
import os
import select
import signal
import time

from . import call_limit, endless, passing, wire
from .examiner_process import ExaminerProcess
from .isolation import Isolation
from .time_limits import Heartbeat, TimeLimits
from .wire import JobHeader, Kind, Outbox, Report, Result, Verdict
from .zygote import Zygote

_GRACE_SECONDS = 0.5
"""The time an examiner has to notice that its candidate has ended."""

_AGAIN_SECONDS = 0.05

_MOST_RUNS, _MOST_CASES = 16, 100_000
"""The times that an examiner may have the program of one job started."""

_ENDLESS = b"the program was to be started again and again"
_STATE_RETURNS = b"an endless loop, whose state returns"
_OUT_OF_MEMORY = b"the program filled the memory of the sandbox"


class JobRunner:
    """Zygote, examiner and isolation, at work on one job after another."""

    def __init__(self, isolation: Isolation, inlet: int, outbox: Outbox) -> None:
        """Begin without processes; the bodies of jobs are read from `inlet`."""
        self._examiner = ExaminerProcess(isolation)
        self._zygote = Zygote(isolation)
        self._isolation = isolation
        self._inlet = inlet
        self._outbox = outbox
        self._heartbeat = Heartbeat()
        self._has_candidate = False
        self._marked = False  # whether this job advanced a counter that a later program could read

    def run(self, header: JobHeader) -> Result:
        """Run one job. When it returns, no process of the program exists any more."""
        self._heartbeat = Heartbeat()
        self._marked = False
        try:
            result = self._run_job(header)
        except wire.StreamError:  # the host is gone: leave no process behind
            self._examiner.clear()
            if self._has_candidate:
                self._sweep()
            raise
        return result._replace(last=self._marked and not header.threaded)

    def _run_job(self, header: JobHeader) -> Result:
        """Run the program as often as its examiner asks for. Its times are those of the slowest run."""
        cpu_seconds = wall_seconds = 0.0
        run = self._run_case if header.whole else self._run_functions
        for number in itertools.count(1):
            result = run(header, self._inlet if number == 1 else None)
            cpu_seconds = max(cpu_seconds, result.cpu_seconds)
            wall_seconds = max(wall_seconds, result.wall_seconds)
            if result.verdict is not Verdict.NEXT:
                break
            if number >= (_MOST_CASES if header.whole else _MOST_RUNS):  # code that the tests evaluate asks for them
                self._examiner.clear()
                result = result._replace(verdict=Verdict.EXITED, detail=_ENDLESS)
                break
            self._isolation.clean()  # what one run learnt must not reach the next
        return result._replace(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds, case=number if header.whole else 0)

    def _run_functions(self, header: JobHeader, inlet: int | None) -> Result:
        near, far = passing.stream_pair()
        limits = self._begin(header, (near,), (far,), inlet)
        report = self._wait(limits, header, _GRACE_SECONDS) or Report(Verdict.EXITED)
        examiner_seconds = limits.examiner_seconds()
        if report.verdict in (Verdict.NONE, Verdict.TIMEOUT, Verdict.EXITED):
            self._examiner.clear()  # it may still be waiting for this candidate
        candidate_seconds, exit_code = self._sweep()
        return _result(report, header, limits, candidate_seconds + examiner_seconds, exit_code)

    def _run_case(self, header: JobHeader, inlet: int | None) -> Result:
        """One run of a whole program. What it printed is compared when nothing of it is left."""
        near, far = passing.program_pair()
        limits = self._begin(header, near, far, inlet)
        report = self._wait(limits, header, 0.0)
        if report is not None:  # without knowing how it ended: it is a timeout, or the examiner has failed
            self._examiner.clear()
        candidate_seconds, exit_code = self._sweep()
        if report is None:
            self._examiner.send_exit_code(exit_code)
            report = self._wait(limits, header, math.inf) or Report(Verdict.NONE)
        cpu_seconds = candidate_seconds + limits.examiner_seconds()
        result = _result(report, header, limits, cpu_seconds, exit_code)
        if result.verdict in (Verdict.NONE, Verdict.TIMEOUT):
            self._examiner.clear()
        return result

    def _begin(self, header: JobHeader, near: tuple[int, ...], far: tuple[int, ...], inlet: int | None) -> TimeLimits:
        started = time.monotonic()
        self._zygote.fill(header)
        self._examiner.fill(header)
        limits = TimeLimits(header, self._zygote, self._examiner, self._isolation, started)
        self._has_candidate = True
        self._zygote.spawn(header, far)
        self._examiner.assign(header, near, inlet, limits.oom_kills_before)
        for fd in (*far, *near):
            os.close(fd)
        return limits

    def _wait(self, limits: TimeLimits, header: JobHeader, grace: float) -> Report | None:
        """Wait for a report, a timeout, or the end of either process.

        None where the candidate has ended and no report came `grace` seconds after.
        """
        deadline = math.inf
        poller = select.poll()
        poller.register(self._examiner, select.POLLIN)
        if grace < math.inf:
            poller.register(self._zygote, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poller.poll(limits.next_look() * 1000)]
            if self._examiner.fileno() in ready:
                report = self._examiner.report()
                if report is not None:
                    return report
            elif ready:
                poller.unregister(self._zygote)
                deadline = time.monotonic() + grace
            if time.monotonic() >= deadline:
                return None
            if limits.is_over():
                return Report(Verdict.TIMEOUT)
            limits.search()
            self._outbox.flush()
            if self._heartbeat.is_due(limits.started):
                self._return_waiting_jobs()
                self._outbox.put(wire.pack_frame(Kind.BEAT, header.number))

    def _return_waiting_jobs(self) -> None:
        """Tell the host which jobs wait behind a slow program, so that other guests may begin them."""
        while select.select([self._inlet], [], [], 0)[0]:
            header = wire.unpack_job(wire.read_exact(self._inlet, wire.JOB_BYTES))
            wire.discard(self._inlet, header.body_bytes)
            self._outbox.put(wire.pack_frame(Kind.RETURNED, header.number))

    def _sweep(self) -> tuple[float, int]:
        """End the candidate and all it left. Returns their CPU seconds, and the candidate's exit code."""
        candidate_pid = self._zygote.candidate_pid
        self._isolation.kill(candidate_pid)
        while not self._zygote.has_news(_AGAIN_SECONDS):  # it was too young to be reached
            self._isolation.kill(candidate_pid)
        seconds, exit_code = self._zygote.end()
        self._has_candidate = False
        seconds += self._isolation.reap((self._zygote.pid, self._examiner.pid))
        self._marked |= self._isolation.is_marked(candidate_pid)
        return seconds, exit_code


def _result(report: Report, header: JobHeader, limits: TimeLimits, cpu_seconds: float, exit_code: int) -> Result:
    verdict, detail = report.verdict, report.detail
    if verdict is not Verdict.NONE and cpu_seconds > limits.cpu_limit():
        verdict, detail = Verdict.TIMEOUT, b""
    elif exit_code == -endless.ENDLESS and verdict not in (Verdict.NONE, Verdict.PASSED):
        verdict, detail = Verdict.TIMEOUT, _STATE_RETURNS
    elif header.call_seconds and -exit_code in call_limit.ENDS and verdict is Verdict.EXITED:
        verdict, detail = Verdict.TIMEOUT, f"one call took more than {header.call_seconds:.3g} s".encode()
    elif verdict is Verdict.EXITED and exit_code == -signal.SIGKILL and limits.oom_kills():
        verdict, detail = Verdict.MEMORY, _OUT_OF_MEMORY
    return Result(verdict, cpu_seconds, limits.wall_seconds(), exit_code, 0, detail=detail)
