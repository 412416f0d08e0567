"""Programs that must not pass: they do nothing, know nothing, or cheat."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from benchmarks.data_files import long_integers
from benchmarks.doctor import program_impostors
from benchmarks.doctor.cases import CallCase, asked_cases, shown_cases
from benchmarks.problem import Problem
from benchmarks.python_source import with_hex_integers

CONSTANTS = ("None", "True", "False", "0", "1", "-1", "''", "[]", "()", "{}")


class Impostor(NamedTuple):
    """A program that must fail."""

    kind: str  # the name of its check
    name: str
    program: str


KINDS = ("empty programs fail", "constant programs fail", "knowing only the prompt fails", "cheats fail")


def impostors(problem: Problem) -> list[Impostor]:
    """Return all programs that must fail this problem's tests."""
    with long_integers():
        return [impostor._replace(program=with_hex_integers(impostor.program)) for impostor in _impostors(problem)]


def _impostors(problem: Problem) -> Iterator[Impostor]:
    if problem.language:
        makers = (
            program_impostors.empty,
            program_impostors.constant,
            program_impostors.knowing,
            program_impostors.cheating,
        )
        for kind, make in zip(KINDS, makers, strict=True):
            yield from (Impostor(kind, name, program) for name, program in make(problem))
        return
    entry = problem.entry_point
    yield Impostor(KINDS[0], "no program", "")
    yield Impostor(KINDS[0], "pass", f"def {entry}(*args, **named):\n    pass\n")
    for value in _constants(problem):
        yield Impostor(KINDS[1], f"return {value}", f"def {entry}(*args, **named):\n    return {value}\n")
    yield Impostor(KINDS[1], "return its argument", f"def {entry}(*args, **named):\n    return args[0]\n")
    if shown := shown_cases(problem):
        yield Impostor(KINDS[2], f"a table of {len(shown)} shown examples", _table(entry, shown))
    for name, source in cheats().items():
        yield Impostor(KINDS[3], name, f"{source}\n{entry} = solve\n")


def _constants(problem: Problem) -> list[str]:
    """The usual constants, and the value that the tests expect most often."""
    expected = Counter(case.value for case in asked_cases(problem) if case.is_literal)
    return list(dict.fromkeys([*CONSTANTS, *(value for value, _ in expected.most_common(1))]))


def _table(entry: str, shown: list[CallCase]) -> str:
    """A program that looks up the shown examples, and gives the last one's value for any other argument."""
    rows = "".join(f"SHOWN.append((lambda: ({case.arguments},), lambda: {case.value}))\n" for case in shown)
    return (
        f"SHOWN = []\n{rows}"
        f"def {entry}(*args):\n"
        "    for arguments, value in SHOWN:\n"
        "        if arguments() == args:\n"
        "            return value()\n"
        "    return SHOWN[-1][1]()\n"
    )


@cache
def cheats() -> dict[str, str]:
    """Return programs that deceive a careless grader, by name; each defines `solve`."""
    parts = Path(__file__).with_name("cheats.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return {title.strip(): source for title, _, source in (part.partition("\n") for part in parts)}
