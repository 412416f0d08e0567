"""The sandbox's mechanisms, tried on the user's machine: each check runs a hostile program and looks at its outcome.

A check holds when its program ended as it must and the next program found nothing of it. The programs are in
`walls.txt`, which the tests run too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.job import Job, Limits, Outcome, Sandbox, Status

_LIMITS = Limits(cpu_seconds=2.0, wall_seconds=4.0)
_TESTS = "assert solve() is True"


@dataclass(frozen=True, slots=True)
class Wall:
    """One hostile program, and the ways in which it may end."""

    name: str
    program: str
    ends: frozenset[Status]


@dataclass(frozen=True, slots=True)
class CheckRow:
    """The result of one check."""

    name: str
    holds: bool
    detail: str


def walls() -> list[Wall]:
    """All checks. In `walls.txt` a title line has the name and, after a colon, the ways to end (default: passed)."""
    parts = Path(__file__).with_name("walls.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return [_wall(part) for part in parts]


def _wall(part: str) -> Wall:
    title, _, program = part.partition("\n")
    name, _, ends = title.partition(":")
    return Wall(name.strip(), program, frozenset(map(Status, ends.split() or ["passed"])))


def check_sandbox(sandbox: Sandbox) -> Iterator[CheckRow]:
    """Try every wall, one after another. The sandbox must be open, and should have one worker."""
    for wall in walls():
        yield check_wall(sandbox, wall)


def check_wall(sandbox: Sandbox, wall: Wall) -> CheckRow:
    """Try one wall, and whether the next program finds anything left."""
    jobs = [Job(wall.name, wall.program, _TESTS, "solve", limits=_LIMITS)]
    ((_, outcome),) = sandbox.run(jobs)
    if outcome.status not in wall.ends:
        return CheckRow(wall.name, False, _say(outcome))
    ((_, after),) = sandbox.run([Job("next program", _NEXT, _TESTS, "solve", limits=_LIMITS)])
    if after.status is not Status.PASSED:
        return CheckRow(wall.name, False, f"the next program met what it left: {_say(after)}")
    return CheckRow(wall.name, True, _say(outcome))


def _say(outcome: Outcome) -> str:
    return f"{outcome.status}: {outcome.detail}" if outcome.detail else str(outcome.status)


_NEXT = """
import os, resource, threading

def solve():
    assert os.listdir(os.getcwd()) == [], os.listdir(os.getcwd())
    if os.getuid() >= 100_000:  # in a container
        assert os.listdir("/dev/shm") == [], os.listdir("/dev/shm")
        mine = [pid for pid in os.listdir("/proc") if pid.isdigit() and os.stat("/proc/" + pid).st_uid == os.getuid()]
        running = len([pid for pid in os.listdir("/proc") if pid.isdigit()])
        assert running <= 4, f"{running} processes"  # supervisor, examiner, zygote, this one
    assert "LEFT" not in os.environ
    assert threading.active_count() == 1
    assert os.getpriority(os.PRIO_PROCESS, 0) == os.getpriority(os.PRIO_PROCESS, os.getppid())
    return True
"""
