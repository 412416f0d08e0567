"""All who work on a job, and how one is seen through: functions are examined once, a whole program once a case."""

import math
import os
import select
import time

from . import passing, wire
from .chair import Chair
from .outbox import Outbox
from .room import Room
from .watch import Pulse, Watch
from .wire import JobHeader, Kind, Result, Verdict
from .zygote import Zygote

_GRACE_SECONDS = 0.5
"""How long the examiner may take to notice that its candidate has ended."""

_AGAIN_SECONDS = 0.05


class Shift:
    """The zygote, the examiner's chair and the room, at work on one job after another."""

    def __init__(self, chair: Chair, zygote: Zygote, outbox: Outbox, room: Room) -> None:
        """Begin with nobody there."""
        self._chair = chair
        self._zygote = zygote
        self._outbox = outbox
        self._room = room
        self._pulse = Pulse()
        self._occupied = False  # whether there is a candidate

    def run(self, header: JobHeader) -> Result:
        """See one job through: a candidate is born, is examined, and is gone with all it left."""
        self._pulse = Pulse()
        try:
            return self._run_whole(header) if header.whole else self._run_functions(header)
        except wire.StreamError:  # the host is gone: leave nobody behind
            self._chair.clear()
            if self._occupied:
                self._sweep()
            raise

    def _run_functions(self, header: JobHeader) -> Result:
        near, far = passing.stream_pair()
        watch = self._begin(header, (near,), (far,))
        verdict = self._wait(watch, header, _GRACE_SECONDS)
        if verdict is None:
            verdict = Verdict.EXITED
        examiner_seconds = watch.examiner_seconds()
        if verdict in (Verdict.NONE, Verdict.TIMEOUT, Verdict.EXITED):
            self._chair.clear()  # it may still be waiting for this candidate
        candidate_seconds, exit_code = self._sweep()
        cpu_seconds = candidate_seconds + examiner_seconds
        if verdict is not Verdict.NONE and cpu_seconds > header.cpu_seconds:
            verdict = Verdict.TIMEOUT
        return Result(verdict, cpu_seconds, watch.wall_seconds(), exit_code, 0)

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
            self._room.clean()  # what one run learnt must not reach the next

    def _run_case(self, header: JobHeader) -> Result:
        """One run of a whole program. What it printed is compared when nothing of it is left."""
        near, far = passing.program_pair()
        watch = self._begin(header, near, far)
        verdict = self._wait(watch, header, 0.0)
        if verdict is not None:  # without knowing how it ended: it is a timeout, or the examiner has failed
            self._chair.clear()
        candidate_seconds, exit_code = self._sweep()
        if verdict is None:
            self._chair.tell(exit_code)
            verdict = self._wait(watch, header, math.inf) or Verdict.NONE
        cpu_seconds = candidate_seconds + watch.examiner_seconds()
        if verdict is not Verdict.NONE and cpu_seconds > header.cpu_seconds:
            verdict = Verdict.TIMEOUT
        if verdict in (Verdict.NONE, Verdict.TIMEOUT):
            self._chair.clear()
        return Result(verdict, cpu_seconds, watch.wall_seconds(), exit_code, 0)

    def _begin(self, header: JobHeader, near: tuple[int, ...], far: tuple[int, ...]) -> Watch:
        started = time.monotonic()
        self._zygote.fill(header)
        self._chair.fill(header)
        watch = Watch(header, self._zygote, self._chair, self._room, started)
        self._occupied = True
        self._zygote.beget(header, far)
        self._chair.assign(header, near)
        for fd in (*far, *near):
            os.close(fd)
        return watch

    def _wait(self, watch: Watch, header: JobHeader, grace: float) -> Verdict | None:
        """Wait for a verdict, a timeout, or the end of either process.

        None where the candidate has ended and no verdict came `grace` seconds after.
        """
        deadline = math.inf
        poller = select.poll()
        poller.register(self._chair, select.POLLIN)
        if grace < math.inf:
            poller.register(self._zygote, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poller.poll(watch.next_look() * 1000)]
            if self._chair.fileno() in ready:
                verdict = self._chair.verdict()
                if verdict is not None:
                    return verdict
            elif ready:
                poller.unregister(self._zygote)
                deadline = time.monotonic() + grace
            if time.monotonic() >= deadline:
                return None
            if watch.is_over():
                return Verdict.TIMEOUT
            self._outbox.flush()
            if self._pulse.is_due(watch.started):
                self._outbox.put(wire.pack_frame(Kind.BEAT, header.number))

    def _sweep(self) -> tuple[float, int]:
        """End the candidate and all it left. Returns their CPU seconds, and the candidate's exit code."""
        candidate_pid = self._zygote.candidate_pid
        self._room.kill(candidate_pid)
        while not self._zygote.has_news(_AGAIN_SECONDS):  # it was too young to be reached
            self._room.kill(candidate_pid)
        seconds, exit_code = self._zygote.end()
        self._occupied = False
        return seconds + self._room.bury((self._zygote.pid, self._chair.pid)), exit_code
