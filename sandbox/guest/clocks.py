"""What the kernel knows about the time of a process: on a processor, and waiting for one."""

import os
import time

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_clock(pid: int) -> float:
    """CPU seconds of a process that has not been waited for, its buried children left out; 0 for any other."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the clock of a whole process: CPUCLOCK_SCHED
    except OSError:
        return 0.0


def starved_seconds(pid: int) -> float:
    """Seconds that a process was ready to run and did not get a processor; 0 where the kernel does not say."""
    try:
        return int(_read(f"/proc/{pid}/schedstat").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def family_cpu_seconds(pid: int, session: int | None = None) -> float:
    """CPU seconds of a process and of its buried children; 0 where it is gone or of another session."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return 0.0
    if session is not None and int(fields[3]) != session:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def _read(path: str) -> bytes:
    # Not through pathlib: the guest does not load it, since every fork would pay for its pages.
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)
