"""A second Docker daemon on this machine, which may be stopped and killed while the first is left alone."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from sandbox.docker.engine import connect
from sandbox.job import SandboxError

START_SECONDS = 60


def can_start() -> bool:
    """Return whether this user may start a second daemon, and the programs for it are there."""
    return os.getuid() == 0 and all(map(shutil.which, ("dockerd", "unshare")))


def await_engine(host: str, seconds: float) -> None:
    """Wait until an engine answers. Raises SandboxError where it does not in so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connect(host, timeout=10).close()
        except SandboxError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


class SecondEngine:
    """A Docker daemon with separate data, in a separate network."""

    def __init__(self, folder: Path) -> None:
        """Keep its data in `folder`."""
        self.host = f"unix://{folder}/sock"
        self.runtime = "another-runc"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon and wait until it answers. Raises SandboxError where it does not."""
        folder = self._folder
        # In a separate network: a daemon without a bridge removes the one it finds, which is the first daemon's.
        command = ["unshare", "--net", "dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
        options = ["-p", f"{folder}/pid", "-H", self.host]
        options += ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        options += ["--add-runtime", f"{self.runtime}={shutil.which('runc')}"]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        await_engine(self.host, START_SECONDS)

    def stop(self) -> None:
        """Let the daemon end, and take back the mounts of one that was killed before."""
        self._end(signal.SIGTERM)
        unmount = ["umount", "-l", f"{self._folder}/data"]
        while subprocess.run(unmount, capture_output=True, check=False).returncode == 0:
            pass

    def kill(self) -> None:
        """Kill the daemon and its containerd; their containers stay."""
        self._end(signal.SIGKILL)
        pid_file = self._folder / "exec/containerd/containerd.pid"
        with suppress(OSError, ValueError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
        pid_file.unlink(missing_ok=True)  # a new daemon takes a dead process for alive until its parent has waited

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None
