"""The isolation of a plain process: no users to switch to, so candidates are bounded, not contained."""

import contextlib
import os
import resource
import signal
import sys

from . import landlock, processes
from .delete_tree import empty_folder
from .isolation import limit, limit_cpu, lower
from .wire import JobHeader

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_CAPABILITY_HEADER = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
"""Version 3 of the capability interface, for the calling process."""

_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix", "/run/systemd/resolve")


class PlainIsolation:
    """A plain process of the user's, which Landlock keeps from the user's files where the kernel has it."""

    def __init__(self, folder: str, loopback: bool) -> None:
        """`folder` belongs to the supervisor, and is emptied after each program. With `loopback`, TCP is open."""
        self._folder = folder
        self._loopback = loopback

    def enter(self) -> None:
        import ctypes  # only here: in a container nothing needs it before the zygote

        libc = ctypes.CDLL(None)
        self._prctl, self._capset = libc.prctl, libc.capset
        self._prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

    def prepare_candidates(self, header: JobHeader) -> None:
        self._confine()
        limit(header)
        os.chdir(self._folder)

    def expose(self, exposed: bool) -> None:
        return None

    def confine_candidate(self, cpu_seconds: float) -> None:
        os.setsid()
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        limit_cpu(cpu_seconds)

    def confine_examiner(self, header: JobHeader) -> None:
        self._confine()
        lower(resource.RLIMIT_DATA, header.memory_bytes)
        lower(resource.RLIMIT_FSIZE, header.file_bytes)

    def _confine(self) -> None:
        os.setsid()
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Root's powers reach past an undumpable supervisor; without them root is a user like others.
        self._capset(_CAPABILITY_HEADER, bytes(24))
        landlock.restrict(_ALL, self._allowed(), scoped=True, tcp=self._loopback)

    def _allowed(self) -> list[tuple[str, int]]:
        """The rights that programs keep: to the system, the interpreter, and one folder."""
        environment = sys.executable.rpartition("/bin/")[0] or sys.prefix  # also one without its site, as here
        interpreter = {sys.prefix, sys.base_prefix, environment, *sys.path}
        return [
            (self._folder, _ALL),
            ("/dev/shm", _ALL),  # the locks of multiprocessing
            ("/dev", _READ | landlock.WRITE_FILE),
            *((path, _READ) for path in (*_SYSTEM_FOLDERS, *sorted(interpreter))),
        ]

    def other_cpu_seconds(self, known: tuple[int, ...]) -> float:
        others = (pid for pid in processes.all_pids() if pid not in known)
        return sum(processes.family_cpu_seconds(pid, session=known[0]) for pid in others)

    def cpu_seconds(self) -> float | None:
        return None

    def oom_kills(self) -> int:
        return 0

    def kill(self, candidate_pid: int) -> None:
        _kill_group(candidate_pid)

    def kill_examiner(self, pid: int) -> None:
        _kill_group(pid)

    def reap(self, kept: tuple[int, ...]) -> float:
        # A program may have made itself siblings, which are the zygote's children: it reaps them before its next.
        seen: set[int] = set()
        while fresh := processes.children(kept[0]) - seen:
            seen |= fresh
            for pid in fresh:
                os.kill(pid, signal.SIGKILL)
        # What has left its group became a child of this process when its parent died.
        return processes.reap(kept)

    def is_marked(self, candidate_pid: int) -> bool:
        return False  # the machine's counters cannot be had anew

    def clean(self) -> None:
        empty_folder(self._folder)


_READ = landlock.READ_FILE | landlock.READ_DIR | landlock.EXECUTE
_ALL = _READ | landlock.WRITE_FILE | landlock.CHANGE_DIR | landlock.REFER | landlock.TRUNCATE


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # right after its start a process is still in its parent's group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
