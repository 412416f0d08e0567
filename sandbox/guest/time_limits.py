"""Ends a program that has used up its CPU time, or, where it sleeps, its time on the wall clock."""

import contextlib
import os
import time

from .endless import LOOK_SECONDS, SIGNAL
from .examiner_process import ExaminerProcess
from .isolation import Isolation
from .processes import cpu_clock, starved_seconds
from .wire import JobHeader
from .zygote import Zygote

_FIRST_LOOK_SECONDS = 0.06
_LOOK_SECONDS = 0.25
_FIRST_SEARCH_SECONDS = 0.05
_SEARCH_FACTOR = 3
"""CPU time of a program when it is first searched for an endless loop, and how much more it is at each next search."""

_BEAT_SECONDS = 1.0
_QUIET_SECONDS = 5.0
"""The longest silence while nothing is slow: the host takes a longer one for an end."""
_STARVED_FACTOR = 10
"""However long a program waited for a processor, its wall time is never stretched by more than this."""

_UNCOUNTED_STARVED_FACTOR = 2
"""The same where the time of processes that come and go is not counted: a program may be waiting for its own."""


class TimeLimits:
    """The clocks of one running job."""

    def __init__(
        self, header: JobHeader, zygote: Zygote, examiner: ExaminerProcess, isolation: Isolation, started: float
    ) -> None:
        """Start watching; `started` is on the monotonic clock."""
        self._header = header
        self._zygote = zygote
        self._examiner = examiner
        self._isolation = isolation
        self.started = started
        self._examiner_before = examiner.cpu_seconds()
        self.oom_kills_before = isolation.oom_kills()
        # Read at the first look, since most jobs end before it.
        self._examiner_starved: float | None = None
        self._total_before: float | None = None
        self._searches = 0
        self._next_search = _FIRST_SEARCH_SECONDS

    def next_look(self) -> float:
        """Seconds until the clocks should be read again."""
        # A program with one thread cannot use more CPU time than passes on the wall.
        usual = _LOOK_SECONDS if self._searches else _FIRST_LOOK_SECONDS
        return min(self._header.cpu_seconds, self._header.wall_seconds, usual)

    def cpu_limit(self) -> float:
        """CPU seconds that the job may use: its limit, and what searches in its processes have taken."""
        return self._header.cpu_seconds + self._searches * LOOK_SECONDS

    def search(self) -> None:
        """From time to time, have a program that computes for long searched for an endless loop."""
        candidate_pid = self._zygote.candidate_pid
        if self._header.threaded or cpu_clock(candidate_pid) < self._next_search:
            return
        self._searches += 1
        self._next_search *= _SEARCH_FACTOR
        with contextlib.suppress(OSError):
            os.kill(candidate_pid, SIGNAL)

    def examiner_seconds(self) -> float:
        """CPU seconds that the examiner has spent on this job."""
        return self._examiner.cpu_seconds() - self._examiner_before

    def wall_seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def oom_kills(self) -> int:
        """The processes killed during this job because memory ran out."""
        return self._isolation.oom_kills() - self.oom_kills_before

    def is_over(self) -> bool:
        """Return whether the job has used up its CPU time or its wall time."""
        candidate_pid = self._zygote.candidate_pid
        if self._examiner_starved is None:
            self._examiner_starved = starved_seconds(self._examiner.pid)
        if self._cpu_seconds(candidate_pid) > self.cpu_limit():
            return True
        wall = self.wall_seconds()
        if wall <= self._header.wall_seconds:
            return False
        starved = starved_seconds(candidate_pid) + starved_seconds(self._examiner.pid) - self._examiner_starved
        factor = _UNCOUNTED_STARVED_FACTOR if self._total_before is None else _STARVED_FACTOR
        return wall - min(starved, wall * (1 - 1 / factor)) > self._header.wall_seconds

    def _cpu_seconds(self, candidate_pid: int) -> float:
        """CPU seconds of the job so far, with those of processes that ended and were never waited for."""
        others = self._isolation.other_cpu_seconds((candidate_pid, self._zygote.pid, self._examiner.pid))
        visible = cpu_clock(candidate_pid) + self.examiner_seconds() + others
        total = self._isolation.cpu_seconds()
        if total is None:
            return visible
        total -= time.process_time()  # the supervisor's own
        if self._total_before is None:
            self._total_before = total - visible
        return max(visible, total - self._total_before)


class Heartbeat:
    """Decides when the host is told that the guest is alive."""

    def __init__(self) -> None:
        """Start with a job."""
        self._last = time.monotonic()
        self._sent = False

    def is_due(self, started: float) -> bool:
        """Return whether the host should be told now, while a program runs that was `started` then.

        Soon where it is slow, because others may work meanwhile; but a program of many short cases is not slow.
        """
        now = time.monotonic()
        slow = now - started >= _LOOK_SECONDS and (now - self._last >= _BEAT_SECONDS or not self._sent)
        due = slow or now - self._last >= _QUIET_SECONDS
        if due:
            self._last, self._sent = now, True
        return due
