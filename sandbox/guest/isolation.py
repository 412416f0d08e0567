"""Confines the processes of a program, and removes every trace of them after each program.

Two kinds. In a container the supervisor is process 1 with the right to switch users: candidate and examiner get users
for themselves, and one `kill(-1)` ends all of them. As a plain process (`plain.py`) it has only sessions and the list
of its children.
"""

import os
import resource
import signal
import time
from collections.abc import Iterable
from typing import Protocol

from . import landlock, passing, processes
from .delete_tree import empty_folder
from .wire import JobHeader

_SETTLE_SECONDS = 0.5
"""Files may outlive their last process for so long: sockets in flight that hold one another may hold files too."""

_CLEAN_SECONDS = 10.0
"""The time that removing the files of one program may take."""

_OOM_FD = 60
"""Above the descriptors of the zygote's sockets."""

_FACTS = ("/proc/cpuinfo", "/proc/version", "/proc/filesystems")
"""The files of /proc that say nothing about other programs."""

_CGROUP = "/sys/fs/cgroup"


class UncleanError(Exception):
    """A program left something that cannot be removed: no other program may run here."""


class Isolation(Protocol):
    """The interface of an isolation."""

    def enter(self) -> None:
        """Once, before the first program."""

    def prepare_candidates(self, header: JobHeader) -> None:
        """In the process that candidates are forked from: all that they inherit."""

    def expose(self, exposed: bool) -> None:
        """In the same process: whether what it forks is to be the first to go where memory runs out."""

    def confine_candidate(self, cpu_seconds: float) -> None:
        """In the candidate's process, before it has seen a program: the rest."""

    def confine_examiner(self, header: JobHeader) -> None:
        """In the examiner's process, before it has seen a test."""

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        """CPU seconds of the processes in the isolation other than `known`."""

    def cpu_seconds(self) -> float | None:
        """CPU seconds of all processes that ever ran in the isolation; None where they are not counted."""

    def oom_kills(self) -> int:
        """The processes killed here because memory ran out; 0 where they are not counted."""

    def kill(self, candidate_pid: int) -> None:
        """Kill the candidate, and every other process of its user that can be reached at once."""

    def kill_examiner(self, pid: int) -> None:
        """Kill the examiner, and what its tests have started."""

    def reap(self, kept: tuple[int, ...]) -> float:
        """Once the candidate has ended: end every process but `kept` and this one. Returns their CPU seconds."""

    def is_marked(self, candidate_pid: int) -> bool:
        """Return whether the program, or its tests, advanced a counter that a later program could read."""

    def clean(self) -> None:
        """Remove every file the program left. Raises UncleanError."""


class ContainerIsolation:
    """A container used by one supervisor, which is process 1 and may switch users."""

    def __init__(self, uid: int, folders: Iterable[str]) -> None:
        """`uid` and the one after it must be unused elsewhere on the machine; `folders` are tmpfs."""
        self._candidate_uid = uid
        self._examiner_uid = uid + 1
        self._folders = tuple(folders)
        self._processes = (0, 0)
        self._pristine: list[tuple[int, int]] = []

    def enter(self) -> None:
        if os.getpid() != 1:
            raise RuntimeError("only process 1 may end processes with kill(-1)")
        # Changing users once makes a process undumpable: its memory and descriptors are out of reach for all others.
        os.setresuid(-1, self._candidate_uid, -1)
        os.setresuid(-1, 0, -1)
        self._cpu = _Counter(("cpuacct/cpuacct.usage", b"", 1e-9), ("cpu.stat", b"usage_usec", 1e-6))
        self._ooms = _Counter(("memory/memory.oom_control", b"oom_kill", 1), ("memory.events", b"oom_kill", 1))
        self._last_pid = _Counter(("/proc/sys/kernel/ns_last_pid", b"", 1))
        self._pristine = self._fill()
        self._forget()

    def prepare_candidates(self, header: JobHeader) -> None:
        limit(header)
        os.setgroups([])
        os.setresgid(self._candidate_uid, self._candidate_uid, self._candidate_uid)
        os.chdir(self._folders[0])
        self._processes = (header.processes, header.processes)
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.dup2(fd, _OOM_FD)
        os.close(fd)
        files = landlock.READ_FILE | landlock.WRITE_FILE | landlock.REFER
        tops = [f"/{name}" for name in os.listdir("/") if name not in ("proc", "sys")]  # noqa: PTH208 - see processes.py
        landlock.restrict(files, [(top, files) for top in tops] + [(path, landlock.READ_FILE) for path in _FACTS])

    def expose(self, exposed: bool) -> None:
        # Not for good: programs can be smaller than the zygote, and it would go first.
        os.pwrite(_OOM_FD, b"1000" if exposed else b"0", 0)

    def confine_candidate(self, cpu_seconds: float) -> None:
        os.setsid()
        limit_cpu(cpu_seconds)
        resource.setrlimit(resource.RLIMIT_NPROC, self._processes)
        os.setresuid(self._candidate_uid, self._candidate_uid, self._candidate_uid)

    def confine_examiner(self, header: JobHeader) -> None:
        os.setsid()
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - see processes.py
            file.write("10")  # it may grow as large as a program, and must go after any
        resource.setrlimit(resource.RLIMIT_DATA, (header.memory_bytes, header.memory_bytes))
        resource.setrlimit(resource.RLIMIT_FSIZE, (header.file_bytes, header.file_bytes))
        resource.setrlimit(resource.RLIMIT_NPROC, (header.processes, header.processes))
        _become(self._examiner_uid)

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        return sum(processes.family_cpu_seconds(pid) for pid in processes.all_pids() if pid not in (1, *known))

    def cpu_seconds(self) -> float | None:
        return self._cpu.read()

    def oom_kills(self) -> int:
        return int(self._ooms.read() or 0)

    def kill(self, candidate_pid: int) -> None:
        _kill_user(self._candidate_uid)

    def kill_examiner(self, pid: int) -> None:
        _kill_user(self._examiner_uid)

    def reap(self, kept: tuple[int, ...]) -> float:
        _kill_user(self._candidate_uid)
        return processes.reap(kept)

    def is_marked(self, candidate_pid: int) -> bool:
        last_pid = self._last_pid.read()
        return self._is_touched() or (last_pid is not None and int(last_pid) != candidate_pid)

    def clean(self) -> None:
        if not self._is_touched():
            return
        deadline = time.monotonic() + _CLEAN_SECONDS
        for uid in (self._candidate_uid, self._examiner_uid):
            if self._fill() != self._pristine:
                self._empty_folders(uid, deadline)
        deadline = min(deadline, time.monotonic() + _SETTLE_SECONDS)
        while self._fill() != self._pristine:
            if time.monotonic() > deadline:
                raise UncleanError("files of a program cannot be removed")
            for fd in passing.stream_pair():  # closing a socket makes the kernel look for such as hold one another
                os.close(fd)
            time.sleep(0.001)
        self._forget()

    def _empty_folders(self, uid: int, deadline: float) -> None:
        """Remove everything that `uid` may remove, in a process of that user. Raises UncleanError."""
        cleaner = os.fork()
        if not cleaner:
            try:
                _become(uid)
                for folder in self._folders:
                    empty_folder(folder)
            finally:
                os._exit(0)
        while os.waitpid(cleaner, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(cleaner, signal.SIGKILL)
                os.waitpid(cleaner, 0)
                raise UncleanError("removing the files of a program takes too long")
            time.sleep(0.0005)

    def _fill(self) -> list[tuple[int, int]]:
        """Blocks and files in use, per folder."""
        usage = map(os.statvfs, self._folders)
        return [(fs.f_blocks - fs.f_bfree, fs.f_files - fs.f_ffree) for fs in usage]

    def _is_touched(self) -> bool:
        """Return whether a file was made in one of the folders, also where it is gone again."""
        return any(os.stat(folder).st_mtime_ns for folder in self._folders)  # noqa: PTH116 - see processes.py

    def _forget(self) -> None:
        """Make the folders look as if nothing had ever been in them."""
        for folder in self._folders:
            os.utime(folder, ns=(0, 0))


class _Counter:
    """A number that the kernel keeps, in the first of several files that can be read."""

    def __init__(self, *places: tuple[str, bytes, float]) -> None:
        """Each place is a path, absolute or in the control group; the word before the number; and the number's unit."""
        self._fd = -1
        for path, word, unit in places:
            self._word, self._unit = word, unit
            try:
                self._fd = os.open(os.path.join(_CGROUP, path), os.O_RDONLY | os.O_CLOEXEC)  # noqa: PTH118 - as above
            except OSError:
                continue
            return

    def read(self) -> float | None:
        """The number; None where it is not to be had."""
        if self._fd < 0:
            return None
        words = os.pread(self._fd, 4096, 0).split()
        if not self._word:
            return int(words[0]) * self._unit
        return int(words[words.index(self._word) + 1]) * self._unit if self._word in words else None


def limit(header: JobHeader) -> None:
    """Limit the memory and the files of this process and of all that it starts."""
    lower(resource.RLIMIT_DATA, header.memory_bytes)
    lower(resource.RLIMIT_FSIZE, header.file_bytes)


def limit_cpu(seconds: float) -> None:
    """Limit the CPU time of this process; the supervisor's own clock comes first."""
    lower(resource.RLIMIT_CPU, int(seconds) + 3)


_HARD = {
    kind: resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)
}


def lower(kind: int, value: int) -> None:
    """Set a resource limit to `value`, or to what is allowed at most."""
    hard = _HARD[kind]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _become(uid: int) -> None:
    """Become `uid` for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _kill_user(uid: int) -> None:
    """Kill every process of a user at once: none of them can fork out of it.

    As that user, since as root it would take all others too. The saved user stays root, so that the user's processes
    get no hold of this one meanwhile.
    """
    os.setresuid(uid, uid, 0)
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.setresuid(0, 0, 0)
