"""Guests as plain processes of this machine, for where no engine is. README.md says what that does not cover."""

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path

from sandbox.backend import GuestError
from sandbox.bootstrap import BOOTSTRAP, FLAGS, guest_digest, guest_payload
from sandbox.job import SandboxError

PREFIX = "qprobe-guest-"
"""The first letters of the name of a guest's folder."""

ABANDONED_SECONDS = 60.0
"""The age from which a folder that no process holds is one that a killed process left."""


class ProcessBackend:
    """Starts supervisors as children of this process."""

    def __init__(self, loopback: bool = False) -> None:
        """With `loopback`, programs may open sockets."""
        self._loopback = loopback

    @property
    def identity(self) -> str:
        loopback = ":loopback" if self._loopback else ""
        return f"process:{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}:{guest_digest()}{loopback}"

    @property
    def image(self) -> str:
        return ""

    def is_ready(self) -> bool:
        self.open()
        return True

    def open(self) -> None:
        if sys.platform != "linux":
            raise SandboxError("The process sandbox needs Linux: use the Docker sandbox.")
        _remove_abandoned_folders()

    def start(self, place: int | None) -> "ProcessGuest":
        try:
            return ProcessGuest(place, self._loopback)
        except OSError as error:
            raise GuestError(f"no process could be started: {error}") from error

    def close(self) -> None:
        return None


class ProcessGuest:
    """One supervisor in a new session, with an emptied environment and a new folder."""

    def __init__(self, place: int | None, loopback: bool) -> None:
        """Start the interpreter and send the guest's source."""
        self._folder = tempfile.mkdtemp(prefix=PREFIX)
        lock = _held(self._folder, fcntl.LOCK_SH)  # until this process ends, however it ends
        self._release = weakref.finalize(self, os.close, lock)  # once, whichever threads stop the guest
        self._process = subprocess.Popen(
            [sys.executable, *FLAGS, "-c", BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=self._folder,
            env=_environment(self._folder),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._inlet, self._outlet = self._process.stdin.fileno(), self._process.stdout.fileno()
        self.write(guest_payload({"kind": "plain", "folder": self._folder, "place": place, "loopback": loopback}))

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._inlet, view) :]
        except OSError as error:
            raise GuestError(f"the supervisor has ended: {error}") from error

    def read_exact(self, size: int, timeout: float) -> bytes:
        data = b""
        deadline = time.monotonic() + timeout
        while len(data) < size:
            ready, _, _ = select.select([self._outlet], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._outlet, size - len(data)) if ready else b""
            if not part:
                raise GuestError("the supervisor has ended" if ready else "the supervisor is silent")
            data += part
        return data

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._release()


def _held(folder: str | Path, kind: int) -> int:
    """Return a descriptor that holds a lock on a folder. Raises OSError where another process keeps it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_abandoned_folders() -> None:
    """Remove this user's folders of guests whose process was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            state = folder.lstat()
            if state.st_uid != os.getuid() or time.time() - state.st_mtime < ABANDONED_SECONDS:
                continue
            lock = _held(folder, fcntl.LOCK_EX)
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _environment(folder: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
        "LD_BIND_NOW": "1",
    }
