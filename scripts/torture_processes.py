"""Processes and containers below a command, for scripts/torture.py."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from sandbox.docker.engine import LABEL, OWNER_LABEL

PATIENCE_SECONDS = 60.0
"""The time in which processes must end whose driver was killed."""


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[tuple[int, str]]:
    """Return the processes below one, with the time at which each started, which names it for ever."""
    parents: dict[int, list[tuple[int, str]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = stat.read_text().partition(" ")
        except OSError:
            continue
        fields = rest.rpartition(")")[2].split()
        parents.setdefault(int(fields[1]), []).append((int(number), fields[19]))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += [number for number, _ in below]
    return found


def outliving(family: list[tuple[int, str]]) -> list[int]:
    """Wait for the end of processes whose driver was killed, and return those that do not end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := [pid for pid, began in family if started_at(pid) == began]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def started_at(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def docker(*words: str) -> list[str]:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.split()


def containers(driver: int) -> list[str]:
    """Return the containers that a command started, and none of any other command."""
    listed = docker(
        "ps", "--no-trunc", "--filter", f"label={LABEL}", "--format", f'{{{{.ID}}}}={{{{.Label "{OWNER_LABEL}"}}}}'
    )
    return [line.partition("=")[0] for line in listed if line.split(":")[-2:-1] == [str(driver)]]
