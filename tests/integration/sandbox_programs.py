"""The corpora of cheating and of honest programs, and the problems they are set."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "corpus"

SORT = """
def check(candidate):
    assert candidate([3, 1, 2]) == [1, 2, 3]
    assert candidate([]) == []
    assert candidate([5, 5, 4]) == [4, 5, 5]
    assert not candidate([2, 1]) != [1, 2]
"""


@dataclass(frozen=True)
class Target:
    """A problem for cheats: its tests, and a program that solves it."""

    tests: str
    solution: str
    setup: str = ""


def _check(*lines: str) -> str:
    return "def check(candidate):\n" + "".join(f"    {line}\n" for line in lines)


_SORTED = "def solve(xs):\n    return sorted(xs)\n"

TARGETS = {
    "sort": Target(SORT, _SORTED),
    "text": Target(_check('assert candidate("ab") == "AB"', 'assert candidate("") == ""'), "def solve(s): return s.upper()"),
    "number": Target(_check("assert candidate(3) == 9", "assert candidate(0) == 0"), "def solve(n): return n * n"),
    "close": Target(
        "import math\n" + _check("assert math.isclose(candidate(2.0), math.sqrt(2.0))", "assert candidate(0.0) < 1e-9")
        + "    assert abs(candidate(4.0) - 2.0) < 1e-6\n",
        "def solve(x): return x ** 0.5",
    ),
    "near": Target(_check("assert abs(candidate(4.0) - 2.0) < 1e-6"), "def solve(x): return x ** 0.5"),
    "rounded": Target(_check("assert round(candidate(2.0), 3) == 1.414"), "def solve(x): return x ** 0.5"),
    "pair": Target(_check("assert candidate(3) == (3, 9)", "assert candidate(1) == (1, 1)"), "def solve(n): return n, n * n"),
    "table": Target(
        _check('assert candidate("aab") == {"a": 2, "b": 1}', 'assert candidate("a")["a"] == 1'),
        "def solve(s): return {c: s.count(c) for c in s}",
    ),
    "group": Target(_check("assert set(candidate([1, 1, 2])) == set((1, 2))"), "def solve(xs): return set(xs)"),
    "member": Target(_check("assert 4 in candidate(3)", "assert 9 in candidate(9)"), "def solve(n): return list(range(n + 2))"),
    "every": Target(_check("assert all(map(candidate, [[1], [1, 2]]))", "assert not candidate([2, 1])"),
                    "def solve(xs): return xs == sorted(xs)"),
    "loop": Target(
        _check("for i in range(5):", "    assert candidate(list(range(i, 0, -1))) == list(range(1, i + 1))"), _SORTED
    ),
    "length": Target(_check("assert len(candidate([3, 1, 2])) == 3", "assert len(candidate([1])) == 1"), _SORTED),
    "kind": Target(_check("assert isinstance(candidate([1]), list)", "assert isinstance(candidate([]), list)"), _SORTED),
    "oracle": Target(_check("xs = [3, 1, 2]", "assert candidate(xs) == sorted(xs)", "assert len(xs) == 3"), _SORTED),
    "random": Target(
        _check("import random", "rng = random.Random(7)", "xs = [rng.randint(0, 99) for _ in range(9)]",
               "assert candidate(xs) == sorted(xs)"),
        _SORTED,
    ),
    "copied": Target(
        _check("import copy", "xs = [3, 1]", "assert candidate(copy.deepcopy(xs)) == sorted(xs)", "assert xs == [3, 1]"), _SORTED
    ),
    "raises": Target(
        _check('assert candidate("7") == 7', "try:", '    candidate("x")', "except ValueError:", "    pass", "else:",
               "    assert False"),
        "def solve(s): return int(s)",
    ),
    "string": Target(_check('assert candidate(12) == str(12)', 'assert candidate(7) == "7"'), "def solve(n): return str(n)"),
    "nested": Target(
        _check("rows = [[1, 2], [3]]", "assert candidate(rows) == sum(map(sum, rows))"), "def solve(rows): return sum(map(sum, rows))"
    ),
    "counts": Target(_check('t = {"a": 1}', "assert candidate(t) == len(t)"), "def solve(t): return len(t)"),
    "union": Target(_check("s = {1, 2}", "assert candidate(s) == {x for x in s}"), "def solve(s): return set(s)"),
    "roundtrip": Target(
        _check('assert candidate(encode("hello")) == "hello"', 'assert candidate("dcba") == "abcd"'),
        "def solve(s): return s[::-1]",
        setup="def encode(s):\n    return s[::-1]\n",
    ),
    "applied": Target(
        _check("assert candidate(lambda x: x + 1, [1, 2]) == [2, 3]", "assert candidate(len, ['ab']) == [2]"),
        "def solve(f, xs): return [f(x) for x in xs]",
    ),
}  # fmt: skip


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
