"""Processes and containers below a command, for scripts/torture.py."""

import os
import signal
import subprocess
import time
from pathlib import Path

from sandbox.docker.engine import LABEL, OWNER_LABEL

PATIENCE_SECONDS = 60.0
"""The time in which processes must end whose driver was killed."""


def kill(pid: int) -> bool:
    """Kill a process; False where it has ended already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


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


def docker(*words: str, host: str = "") -> list[str]:
    """Run the client of an engine, by default of the usual one, and return the words that it prints."""
    command = ["docker", *(["-H", host] if host else []), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.split()


def containers(driver: int, host: str = "") -> list[str]:
    """Return the containers that a command started, and none of any other command."""
    form = f'{{{{.ID}}}}={{{{.Label "{OWNER_LABEL}"}}}}'
    listed = docker("ps", "--no-trunc", "--filter", f"label={LABEL}", "--format", form, host=host)
    return [line.partition("=")[0] for line in listed if line.split(":")[-2:-1] == [str(driver)]]


def outliving_containers(driver: int) -> list[str]:
    """Wait for the end of the containers of a command that was killed, and return those that do not end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := containers(driver)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left
