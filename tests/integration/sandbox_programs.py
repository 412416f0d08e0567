"""The corpora of cheating and of honest programs, and the problems they are set."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "corpus"


@dataclass(frozen=True)
class Target:
    """A problem for cheats: its tests, and a program that solves it."""

    tests: str
    solution: str
    setup: str = ""


def read_targets(name: str) -> dict[str, Target]:
    """Problems by name, from a file of the corpus."""
    parts = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return dict(map(_target, parts))


def _target(part: str) -> tuple[str, Target]:
    title, _, rest = part.partition("\n")
    solution, _, tests = rest.partition("--- tests\n")
    tests, _, setup = tests.partition("--- setup\n")
    return title.strip(), Target(tests, solution, setup)


TARGETS = read_targets("targets")


def read_plain(name: str) -> dict[str, str]:
    """Programs by name, from a file of the corpus."""
    parts = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return {title.strip(): source for title, _, source in (part.partition("\n") for part in parts)}


@dataclass(frozen=True)
class Program:
    """One program of a corpus."""

    family: str
    name: str
    target: str
    source: str


def read_corpus(kind: str) -> list[Program]:
    """All programs of `cheats` or `honest`."""
    return [program for path in sorted((_FOLDER / kind).glob("*.txt")) for program in _read(path)]


def _read(path: Path) -> Iterator[Program]:
    for part in path.read_text(encoding="utf-8").split("=== ")[1:]:
        title, _, source = part.partition("\n")
        name, _, target = title.partition(" @")
        yield Program(path.stem, name.strip(), target.strip() or "sort", source)
