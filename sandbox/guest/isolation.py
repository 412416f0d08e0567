"""The room that programs run in: what a process may do in it, and how it is emptied after each program.

Two kinds. In a container the supervisor is process 1 with the right to switch users: candidate and examiner get users
of their own, and one `kill(-1)` ends all of them. As a plain process it has only sessions and the list of its children.
"""

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable
from typing import Protocol

from . import passing, processes
from .delete_tree import empty_folder
from .wire import JobHeader

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SETTLE_SECONDS = 0.5
"""How long files may outlive their last process: sockets in flight that hold one another may hold files too."""

_CAPABILITY_HEADER = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
"""Version 3 of the capability interface, for the calling process."""


class UncleanError(Exception):
    """A program left what cannot be removed: nobody may use this room any more."""


class Isolation(Protocol):
    """What the supervisor asks of a isolation."""

    def enter(self) -> None:
        """Once, before the first program."""

    def prepare_candidates(self, header: JobHeader) -> None:
        """In the process that candidates are forked from: all that they inherit."""

    def confine_candidate(self, cpu_seconds: float) -> None:
        """In the candidate's process, before it has seen a program: the rest."""

    def confine_examiner(self, header: JobHeader) -> None:
        """In the examiner's process, before it has seen a test."""

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        """CPU seconds of the processes in the room other than `known`."""

    def kill(self, candidate_pid: int) -> None:
        """Kill the candidate, and whatever else of the room can be reached at once."""

    def reap(self, kept: tuple[int, ...]) -> float:
        """Once the candidate has ended: end every process but `kept` and this one. Returns their CPU seconds."""

    def clean(self) -> None:
        """Remove every file the program left. Raises UncleanError."""


class ContainerIsolation:
    """A container of one's own: the supervisor is process 1 and may switch users."""

    def __init__(self, uid: int, folders: Iterable[str]) -> None:
        """`uid` and the one after it must be used by nobody else on the machine; `folders` are tmpfs."""
        self._candidate_uid = uid
        self._examiner_uid = uid + 1
        self._folders = tuple(folders)
        self._pristine: list[tuple[int, int]] = []
        self._processes = (0, 0)

    def enter(self) -> None:
        if os.getpid() != 1:
            raise RuntimeError("only process 1 may sweep with kill(-1)")
        # Changing users once makes a process undumpable: its memory and descriptors are out of reach for all others.
        os.setresuid(-1, self._candidate_uid, -1)
        os.setresuid(-1, 0, -1)
        self._pristine = self._fill()

    def prepare_candidates(self, header: JobHeader) -> None:
        _limit(header)
        os.setgroups([])
        os.setresgid(self._candidate_uid, self._candidate_uid, self._candidate_uid)
        os.chdir(self._folders[0])
        self._processes = (header.processes, header.processes)

    def confine_candidate(self, cpu_seconds: float) -> None:
        os.setsid()
        _aim_oom_killer("1000")  # not in the zygote: programs can be smaller than that, and it would go first
        _limit_cpu(cpu_seconds)
        resource.setrlimit(resource.RLIMIT_NPROC, self._processes)
        os.setresuid(self._candidate_uid, self._candidate_uid, self._candidate_uid)

    def confine_examiner(self, header: JobHeader) -> None:
        os.setsid()
        _aim_oom_killer("10")  # it may grow as large as a program, and must go after any
        resource.setrlimit(resource.RLIMIT_DATA, (header.memory_bytes, header.memory_bytes))
        _become(self._examiner_uid)

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        return sum(processes.family_cpu_seconds(pid) for pid in processes.all_pids() if pid not in (1, *known))

    def kill(self, candidate_pid: int) -> None:
        self._kill_candidate_user()

    def reap(self, kept: tuple[int, ...]) -> float:
        return processes.reap(kept) if self._kill_candidate_user() else 0.0

    def _kill_candidate_user(self) -> bool:
        """Kill every process of the candidate's user at once: none of them can fork out of it. Whether there was one.

        As that user, since as root it would take the examiner too. The saved user stays root, so that the user's
        processes get no hold of this one meanwhile.
        """
        os.setresuid(self._candidate_uid, self._candidate_uid, 0)
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return False
        finally:
            os.setresuid(0, 0, 0)
        return True

    def clean(self) -> None:
        if self._fill() == self._pristine:
            return
        janitor = os.fork()
        if not janitor:
            try:
                _become(self._candidate_uid)
                for folder in self._folders:
                    empty_folder(folder)
            finally:
                os._exit(0)
        os.waitpid(janitor, 0)
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._fill() != self._pristine:
            if time.monotonic() > deadline:
                raise UncleanError("the room cannot be cleaned")
            for fd in passing.stream_pair():  # closing a socket makes the kernel look for such as hold one another
                os.close(fd)
            time.sleep(0.001)

    def _fill(self) -> list[tuple[int, int]]:
        """Blocks and files in use, a cheap look at whether there is anything to clean."""
        usage = map(os.statvfs, self._folders)
        return [(fs.f_blocks - fs.f_bfree, fs.f_files - fs.f_ffree) for fs in usage]


class PlainIsolation:
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

    def prepare_candidates(self, header: JobHeader) -> None:
        self._confine()
        _limit(header)
        os.chdir(self._folder)

    def confine_candidate(self, cpu_seconds: float) -> None:
        os.setsid()
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _limit_cpu(cpu_seconds)

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
        return sum(
            processes.family_cpu_seconds(pid, session=known[0]) for pid in processes.all_pids() if pid not in known
        )

    def kill(self, candidate_pid: int) -> None:
        for kill in (os.killpg, os.kill):  # right after its birth it is in no group of its own yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(candidate_pid, signal.SIGKILL)

    def reap(self, kept: tuple[int, ...]) -> float:
        # A program may have made itself siblings, which are the zygote's children: it buries them before its next.
        seen: set[int] = set()
        while fresh := processes.children(kept[0]) - seen:
            seen |= fresh
            for pid in fresh:
                os.kill(pid, signal.SIGKILL)
        # What has left its group became a child of this process when its parent died.
        return processes.reap(kept, kill=True)

    def clean(self) -> None:
        empty_folder(self._folder)


def _limit(header: JobHeader) -> None:
    _lower(resource.RLIMIT_DATA, header.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, header.file_bytes)


def _limit_cpu(seconds: float) -> None:
    _lower(resource.RLIMIT_CPU, int(seconds) + 3)  # the supervisor's own clock comes first


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
