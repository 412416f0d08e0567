"""Deciding when a program has had its time: by CPU time, with a guard on the wall clock for those that sleep."""

import time

from .examiner_process import ExaminerProcess
from .isolation import Isolation
from .processes import cpu_clock, starved_seconds
from .wire import JobHeader
from .zygote import Zygote

_LOOK_SECONDS = 0.25
_BEAT_SECONDS = 1.0
_QUIET_SECONDS = 5.0
"""How long there may be no word though nothing is slow: the host takes a long silence for an end."""
_STARVED_FACTOR = 10
"""However long a program waited for a processor, its wall time is never stretched by more than this."""


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
        self._examiner_starved: float | None = None  # asked for at the first look: most jobs end before it

    def next_look(self) -> float:
        """Seconds until the clocks should be read again."""
        # A program with one thread cannot use more CPU time than passes on the wall.
        return min(self._header.cpu_seconds, self._header.wall_seconds, _LOOK_SECONDS)

    def examiner_seconds(self) -> float:
        """CPU seconds that the examiner has spent on this job."""
        return self._examiner.cpu_seconds() - self._examiner_before

    def wall_seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def is_over(self) -> bool:
        """Whether the job has used up its CPU time or its wall time."""
        candidate_pid = self._zygote.candidate_pid
        if self._examiner_starved is None:
            self._examiner_starved = starved_seconds(self._examiner.pid)
        others = self._isolation.other_cpu_seconds((candidate_pid, self._zygote.pid, self._examiner.pid))
        if cpu_clock(candidate_pid) + self.examiner_seconds() + others > self._header.cpu_seconds:
            return True
        wall = self.wall_seconds()
        if wall <= self._header.wall_seconds:
            return False
        starved = starved_seconds(candidate_pid) + starved_seconds(self._examiner.pid) - self._examiner_starved
        return wall - min(starved, wall * (1 - 1 / _STARVED_FACTOR)) > self._header.wall_seconds


class Heartbeat:
    """When to tell the host that all is well here."""

    def __init__(self) -> None:
        """Start with a job."""
        self._last = time.monotonic()
        self._said = False

    def is_due(self, started: float) -> bool:
        """Whether the host should be told now, while a program runs that was `started` then.

        Soon where it is slow, because others may work meanwhile; but a program of many short cases is not slow.
        """
        now = time.monotonic()
        slow = now - started >= _LOOK_SECONDS and (now - self._last >= _BEAT_SECONDS or not self._said)
        due = slow or now - self._last >= _QUIET_SECONDS
        if due:
            self._last, self._said = now, True
        return due
