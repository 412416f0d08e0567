"""Running `qprobe` as a user does: as a separate process."""

import os
import socket
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from tests import warm

REPOSITORY = Path(__file__).resolve().parents[1]


class Qprobe:
    """Calls the command line: offline, without colour, 100 columns wide."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command."""
        overrides = {"HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(REPOSITORY)}
        return {**os.environ, **overrides}

    @property
    def quiet(self) -> dict[str, Any]:
        """Arguments for a `subprocess.Popen` whose output is not read."""
        return {"env": self.environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    @cached_property
    def server(self) -> str:
        """The socket of a server that has done the slow imports; it ends with this process."""
        self._folder = tempfile.TemporaryDirectory(prefix="qprobe-warm-")
        path = f"{self._folder.name}/socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            number = listener.fileno()
            command = [sys.executable, warm.__file__, "--serve", str(number)]
            environment = {**self.environment, "OMP_WAIT_POLICY": "PASSIVE"}
            self._server = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdin=subprocess.PIPE, pass_fds=[number]
            )
        return path

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, with further environment variables."""
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            Path(os.devnull).open() as null,
        ):
            files = (null.fileno(), out.fileno(), err.fileno())
            status = warm.call(self.server, arguments, str(Path.cwd()), {**self.environment, **environment}, files)
            outputs = [file.seek(0) or file.read() for file in (out, err)]
        return subprocess.CompletedProcess(arguments, status, *outputs)


qprobe = Qprobe()
