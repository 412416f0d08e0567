"""Memory and processor time of the guests that this process has started, in containers or as processes."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.docker import engine
from scripts.torture_processes import descendants

if TYPE_CHECKING:
    from docker import DockerClient

Usage = dict[str, tuple[float, int]]
"""Guest -> processor seconds, and the bytes that it holds."""


class GuestMeter:
    """Adds up what guests use, those included that have ended since."""

    def __init__(self, read: Callable[[], Usage]) -> None:
        """Read the present guests with `read`."""
        self._read = read
        self._seconds: dict[str, float] = {}

    def look(self) -> tuple[float, int]:
        """Return the processor seconds of all guests so far, and the bytes that those of this moment hold."""
        usage = self._read()
        self._seconds |= {name: seconds for name, (seconds, _) in usage.items()}
        return sum(self._seconds.values()), sum(held for _, held in usage.values())


@contextmanager
def meter(sandbox: str) -> Iterator[GuestMeter]:
    """A meter of the guests of one kind of sandbox."""
    if sandbox == "process":
        yield GuestMeter(of_processes)
        return
    with closing(engine.connect()) as client:
        yield GuestMeter(lambda: of_containers(client))


def of_containers(client: "DockerClient") -> Usage:
    """Return what this process's containers use, without caches of files."""
    from docker.errors import APIError

    used = {}
    for container in client.api.containers(filters={"label": f"{engine.OWNER_LABEL}={engine.owner()}"}):
        try:
            stats = client.api.stats(container["Id"], stream=False, one_shot=True)
        except APIError:  # it has ended meanwhile
            continue
        if "usage" in stats["memory_stats"]:
            used[container["Id"]] = (stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, _held(stats["memory_stats"]))
    return used


def _held(memory: dict[str, Any]) -> int:
    """The usage without inactive caches, as `docker stats` has it, by either version of control groups."""
    details = memory.get("stats", {})
    return int(memory["usage"]) - int(details.get("total_inactive_file", details.get("inactive_file", 0)))


def of_processes() -> Usage:
    """Return what the processes below this one use."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    used = {}
    for pid, began in descendants(os.getpid()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        # Its own time and that of its children that have ended; those that live have their own rows.
        used[f"{pid} {began}"] = (sum(map(int, fields[11:15])) / ticks, int(fields[21]) * page)
    return used
