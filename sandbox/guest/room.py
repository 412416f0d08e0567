"""The room that programs run in: what a process may do in it, and how it is emptied after each program.

Two kinds. In a container the supervisor is process 1 with the right to switch users: candidate and examiner get users
of their own, and one `kill(-1)` empties the room. As a plain process it has only sessions and the list of its children.
"""

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Iterable
from typing import Protocol

from .broom import empty
from .clocks import family_cpu_seconds
from .wire import STILL_RUNNING, JobHeader

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_HEADER = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
"""Version 3 of the capability interface, for the calling process."""


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
        """Kill and bury every process but the examiner (0: none). Returns CPU seconds and the candidate's exit code."""

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
        # Changing users once makes a process undumpable: its memory and descriptors are out of reach for all others.
        os.setresuid(-1, self._candidate_uid, -1)
        os.setresuid(-1, 0, -1)
        self._pristine = self._fill()

    def confine_candidate(self, header: JobHeader) -> None:
        os.setsid()
        _aim_oom_killer("1000")
        _limit(header)
        resource.setrlimit(resource.RLIMIT_NPROC, (header.processes, header.processes))
        _become(self._candidate_uid)
        os.chdir(self._folders[0])

    def confine_examiner(self, header: JobHeader) -> None:
        os.setsid()
        _aim_oom_killer("500")
        resource.setrlimit(resource.RLIMIT_DATA, (header.memory_bytes, header.memory_bytes))
        _become(self._examiner_uid)

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        return sum(family_cpu_seconds(pid) for pid in _all_pids() if pid not in (1, *known))

    def sweep(self, candidate_pid: int, examiner_pid: int) -> tuple[float, int]:
        self._kill_candidate_user()
        return _bury(candidate_pid, examiner_pid)

    def _kill_candidate_user(self) -> None:
        """Kill every process of the candidate's user at once: none of them can fork out of it.

        As that user, since as root it would take the examiner too. The saved user stays root, so that the user's
        processes get no hold of this one meanwhile.
        """
        os.setresuid(self._candidate_uid, self._candidate_uid, 0)
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            os.setresuid(0, 0, 0)

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
        import ctypes  # only here: in a container nothing needs it

        libc = ctypes.CDLL(None)
        self._prctl, self._capset = libc.prctl, libc.capset
        self._prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

    def confine_candidate(self, header: JobHeader) -> None:
        self._confine()
        _limit(header)
        os.chdir(self._folder)

    def confine_examiner(self, header: JobHeader) -> None:
        self._confine()
        _lower(resource.RLIMIT_DATA, header.memory_bytes)

    def _confine(self) -> None:
        os.setsid()
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Root's powers reach past an undumpable supervisor; without them root is a user like others.
        self._capset(_CAPABILITY_HEADER, bytes(24))

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        return sum(family_cpu_seconds(pid, session=known[0]) for pid in _all_pids() if pid not in known)

    def sweep(self, candidate_pid: int, examiner_pid: int) -> tuple[float, int]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(candidate_pid, signal.SIGKILL)
        # What has left its group becomes a child of this process when its parent dies, and is killed then.
        return _bury(candidate_pid, examiner_pid, kill=True)

    def clean(self) -> None:
        empty(self._folder)


def _limit(header: JobHeader) -> None:
    _lower(resource.RLIMIT_CPU, int(header.cpu_seconds) + 3)  # the supervisor's own clock comes first
    _lower(resource.RLIMIT_DATA, header.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, header.file_bytes)


_HARD = {
    kind: resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)
}


def _lower(kind: int, value: int) -> None:
    hard = _HARD[kind]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _become(uid: int) -> None:
    """Become `uid` for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _aim_oom_killer(score: str) -> None:
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, score.encode())
    os.close(fd)


def _bury(candidate_pid: int, examiner_pid: int, kill: bool = False) -> tuple[float, int]:
    """Wait for every child but the examiner. Returns their CPU seconds, and the exit code of the candidate."""
    seconds, exit_code = 0.0, STILL_RUNNING
    while children := _children() - {examiner_pid}:
        for pid in children:
            if kill:
                os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            seconds += usage.ru_utime + usage.ru_stime
            if pid == candidate_pid:
                exit_code = os.waitstatus_to_exitcode(status)
    return seconds, exit_code


def _children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as stream:  # noqa: PTH123 - see clocks.py
        return set(map(int, stream.read().split()))


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - see clocks.py
