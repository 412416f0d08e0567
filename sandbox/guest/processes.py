"""Processes as the kernel shows them: their CPU time, the time they waited for a processor, and their children."""

import os
import signal
import time

_READ_BYTES = 4096
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_clock(pid: int) -> float:
    """CPU seconds of a process that has not been waited for, without its children; 0 for any other process."""
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
    """CPU seconds of a process and of the children it waited for; 0 where it is gone or of another session."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return 0.0
    if session is not None and int(fields[3]) != session:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def reap(kept: tuple[int, ...]) -> float:
    """End every child but `kept`, and those that become children meanwhile. Returns their CPU seconds."""
    seconds = 0.0
    while pids := children(os.getpid()).difference(kept):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            _, _, usage = os.wait4(pid, 0)
            seconds += usage.ru_utime + usage.ru_stime
    return seconds


def children(parent: int) -> set[int]:
    """The processes whose parent is the main thread of `parent`."""
    return set(map(int, _read(f"/proc/{parent}/task/{parent}/children").split()))


def all_pids() -> list[int]:
    """Every process that /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - see `_read`


def _read(path: str) -> bytes:
    # Not through pathlib: the guest does not load it, since every fork would pay for its pages.
    fd = os.open(path, os.O_RDONLY)
    try:
        data = os.read(fd, _READ_BYTES)
        while len(data) % _READ_BYTES == 0 and (more := os.read(fd, _READ_BYTES)):
            data += more
        return data
    finally:
        os.close(fd)
