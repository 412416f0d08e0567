"""The room that programs run in: what a process may do in it, and how it is emptied after each program.

Two kinds. In a container the supervisor is process 1 with the right to switch users: candidate and examiner get users
of their own, and one `kill(-1)` empties the room. As a plain process it has only sessions and the list of its children.
"""

import contextlib
import ctypes
import math
import os
import resource
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from .broom import empty
from .wire import STILL_RUNNING, JobHeader

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")
_prctl = ctypes.CDLL(None).prctl


class Room(Protocol):
    """What the supervisor asks of a room."""

    def enter(self) -> None:
        """Once, before the first program."""

    def confine_candidate(self, header: JobHeader) -> None:
        """In the candidate's process, before it has seen a program."""

    def confine_examiner(self, header: JobHeader) -> None:
        """In the examiner's process, before it has seen a test."""

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        """CPU seconds of the processes in the room other than `known`."""

    def sweep(self, candidate_pid: int, examiner_pid: int) -> tuple[float, int]:
        """Kill and bury every process. Returns their CPU seconds and the candidate's exit code."""

    def clean(self) -> None:
        """Remove every file the program left."""


class ContainerRoom:
    """A container of one's own: the supervisor is process 1 and may switch users."""

    def __init__(self, uid: int, folders: Iterable[str]) -> None:
        """`uid` and the one after it must be used by nobody else on the machine; `folders` are tmpfs."""
        self._candidate_uid = uid
        self._examiner_uid = uid + 1
        self._folders = tuple(folders)
        self._pristine: list[tuple[int, int]] = []

    def enter(self) -> None:
        if os.getpid() != 1:
            raise RuntimeError("only process 1 may sweep with kill(-1)")
        _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        self._pristine = self._fill()

    def confine_candidate(self, header: JobHeader) -> None:
        os.setsid()
        Path("/proc/self/oom_score_adj").write_text("1000")
        _limit(header, header.processes)
        _become(self._candidate_uid)
        _prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # its own /proc/self stays its own
        os.chdir(self._folders[0])

    def confine_examiner(self, header: JobHeader) -> None:
        os.setsid()
        Path("/proc/self/oom_score_adj").write_text("500")
        _limit(header, processes=8)
        _become(self._examiner_uid)
        os.chdir(self._folders[0])

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        return sum(_stat_cpu_seconds(pid) for pid in _all_pids() if pid not in (1, *known))

    def sweep(self, candidate_pid: int, examiner_pid: int) -> tuple[float, int]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        return _bury(candidate_pid)

    def clean(self) -> None:
        if self._fill() == self._pristine:
            return
        janitor = os.fork()
        if not janitor:
            try:
                _become(self._candidate_uid)
                for folder in self._folders:
                    empty(folder)
            finally:
                os._exit(0)
        os.waitpid(janitor, 0)
        if self._fill() != self._pristine:
            raise RuntimeError("the room cannot be cleaned")

    def _fill(self) -> list[tuple[int, int]]:
        """Blocks and files in use, a cheap look at whether there is anything to clean."""
        usage = map(os.statvfs, self._folders)
        return [(fs.f_blocks - fs.f_bfree, fs.f_files - fs.f_ffree) for fs in usage]


class PlainRoom:
    """A plain process of the user's: no users to switch to, so candidates are bounded, not contained."""

    def __init__(self, folder: str) -> None:
        """`folder` is the supervisor's own, and is emptied after each program."""
        self._folder = folder

    def enter(self) -> None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

    def confine_candidate(self, header: JobHeader) -> None:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _limit(header, processes=None)
        os.chdir(self._folder)

    confine_examiner = confine_candidate

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        return sum(_stat_cpu_seconds(pid, session=known[0]) for pid in _all_pids() if pid not in known)

    def sweep(self, candidate_pid: int, examiner_pid: int) -> tuple[float, int]:
        for pid in (candidate_pid, examiner_pid):
            _kill_session(pid)
        seconds, exit_code = 0.0, STILL_RUNNING
        # What has left its session became a child of this process when its parent died; killing it hands on its own.
        while children := _children():
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            used, code = _bury(candidate_pid, at_most=len(children))
            seconds += used
            exit_code = code if code != STILL_RUNNING else exit_code
        return seconds, exit_code

    def clean(self) -> None:
        empty(self._folder)


def _limit(header: JobHeader, processes: int | None) -> None:
    cpu = math.ceil(header.cpu_seconds) + 2  # the supervisor's own clock comes first
    _set(resource.RLIMIT_CPU, cpu)
    _set(resource.RLIMIT_DATA, header.memory_bytes)
    _set(resource.RLIMIT_FSIZE, header.file_bytes)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, 1024)
    if processes is not None:
        _set(resource.RLIMIT_NPROC, processes)


def _set(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _become(uid: int) -> None:
    """Become `uid` for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _bury(candidate_pid: int, at_most: int | None = None) -> tuple[float, int]:
    """Wait for killed children. Returns their CPU seconds and the exit code of the candidate, if it was among them."""
    seconds, exit_code = 0.0, STILL_RUNNING
    while at_most is None or at_most > 0:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        seconds += usage.ru_utime + usage.ru_stime
        if pid == candidate_pid:
            exit_code = os.waitstatus_to_exitcode(status)
        at_most = None if at_most is None else at_most - 1
    return seconds, exit_code


def _kill_session(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names are all that is needed


def _stat_cpu_seconds(pid: int, session: int | None = None) -> float:
    """CPU seconds of a process and of its buried children; 0 where it is gone or of another session."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    if session is not None and int(fields[3]) != session:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS
