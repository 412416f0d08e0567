"""Running `qprobe` as a user does: as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


class Qprobe:
    """Calls the command line: offline, without colour, 100 columns wide."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command."""
        ours = {"HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(REPOSITORY)}
        return {**os.environ, **ours}

    @property
    def quiet(self) -> dict[str, Any]:
        """Arguments for a `subprocess.Popen` whose output nobody reads."""
        return {"env": self.environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, with further environment variables."""
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


qprobe = Qprobe()
