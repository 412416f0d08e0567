"""Commands of qprobe for scripts/torture.py: started, ended, and how they must end."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


class Failure(Exception):  # noqa: N818 - what the script looks for
    """A run did not bear a fault."""


def start(command: list[str], **environment: str) -> "subprocess.Popen[str]":
    """Start a command of qprobe."""
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (environment.pop("FIRST", ""), str(REPOSITORY))))
    return subprocess.Popen(
        [sys.executable, "-m", "qprobe", *command], env={**variables, **environment}, cwd=REPOSITORY, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(started: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for a command: its status and what it printed. Raises Failure where it hangs."""
    try:
        out, err = started.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        started.kill()
        raise Failure("a command did not end within ten minutes") from None
    return started.returncode, out, err


def succeed(command: list[str], **environment: str) -> str:
    """Run a command to its end and return its output. Raises Failure where it fails."""
    return succeeded(start(command, **environment))


def succeeded(started: "subprocess.Popen[str]") -> str:
    """Wait for a command and return its output. Raises Failure where it fails."""
    status, out, err = end(started)
    if status:
        raise Failure(f"{started.args!r} ended with {status}: {err.strip()[-400:]}")
    return out


def refuse(command: list[str], says: str, **environment: str) -> None:
    """Run a command that must end with one sentence. Raises Failure for any other end."""
    is_sentence(*end(start(command, **environment)), says)


def is_sentence(status: int, _: str, err: str, says: str) -> None:
    """Raise Failure unless a command ended with status 1 and a sentence that holds one of some words."""
    last = err.strip().splitlines()[-1:] or [""]
    if status != 1 or "Traceback" in err or not any(word in last[0] for word in says.split("|")):
        raise Failure(f"expected a sentence with {says!r}, got status {status}: {err.strip()[-400:]}")
