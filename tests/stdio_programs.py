"""The corpora of whole programs, honest and cheating, and the problems they are set."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sandbox import Job, Limits
from sandbox.cases import Case, program_tests

SUMS = program_tests([Case("1 2\n", "3\n"), Case("20 22\n", "42\n")])
ANSWERS = {word: f"answer-{hashlib.md5(word.encode()).hexdigest()}" for word in ("one", "two", "three")}
SECRET = program_tests([Case(word, answer) for word, answer in ANSWERS.items()])

_FOLDER = Path(__file__).parent / "corpus" / "stdio"


def read_whole(name: str) -> dict[str, str]:
    """The programs of a file, by name. Cheats that know the answers are told them."""
    parts = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    programs = {title.strip(): source for title, _, source in (part.partition("\n") for part in parts)}
    return {title: source.replace("KNOWN", repr(ANSWERS)) for title, source in programs.items()}


def jobs_of(programs: dict[str, str], tests: str, limits: Limits, language: str, times: int = 1) -> Iterator[Job]:
    """Each program `times` times in a row: what one run left behind must not help the next."""
    for name, source in programs.items():
        for _ in range(times):
            yield Job(name, source, tests, limits=limits, language=language)
