"""Deciding when a program has had its time: by CPU time, with a guard on the wall clock for those that sleep."""

import time
from pathlib import Path

from .room import Room
from .wire import JobHeader

_LOOK_SECONDS = 0.25
_BEAT_SECONDS = 1.0
_STARVED_FACTOR = 4
"""However long a program waited for a processor, its wall time is never stretched by more than this."""


class Watch:
    """The clocks of one running job."""

    def __init__(self, header: JobHeader, candidate_pid: int, examiner_pid: int, room: Room, started: float) -> None:
        """Start watching; `started` is on the monotonic clock."""
        self.candidate_pid = candidate_pid
        self._pids = (candidate_pid, examiner_pid)
        self._header = header
        self._room = room
        self._started = started
        self._last_beat = started

    def next_look(self) -> float:
        """Seconds until the clocks should be read again."""
        # A program with one thread cannot use more CPU time than passes on the wall.
        return min(self._header.cpu_seconds, self._header.wall_seconds, _LOOK_SECONDS)

    def is_over(self) -> bool:
        """Whether the job has used up its CPU time or its wall time."""
        if sum(map(_cpu_clock, self._pids)) + self._room.other_cpu_seconds(self._pids) > self._header.cpu_seconds:
            return True
        wall = time.monotonic() - self._started
        if wall <= self._header.wall_seconds:
            return False
        starved = sum(map(_waited_for_cpu, self._pids))
        return wall - min(starved, wall * (1 - 1 / _STARVED_FACTOR)) > self._header.wall_seconds

    def beat_is_due(self) -> bool:
        """Whether the host should be told again that all is well here."""
        now = time.monotonic()
        due = now - self._last_beat >= _BEAT_SECONDS
        if due:
            self._last_beat = now
        return due


def _cpu_clock(pid: int) -> float:
    """CPU seconds of a process that has not been waited for."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the clock of a whole process: CPUCLOCK_SCHED
    except OSError:
        return 0.0


def _waited_for_cpu(pid: int) -> float:
    """Seconds that a process was ready to run and did not get a processor; 0 where the kernel does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
