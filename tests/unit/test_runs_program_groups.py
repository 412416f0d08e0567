"""Groups of equal programs are those of their digests, whether or not a parser was needed to tell them apart."""

import ast
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.runs import program_groups as module
from harness.runs.completion import SampleId
from harness.runs.join import group_numbers
from harness.runs.program_groups import NESTED_QUOTES, program_groups, skeleton
from harness.runs.program_hash import fingerprint

LIBRARY = sorted(Path(os.__file__).parent.glob("*.py"))
SAME = [
    ("if a:\n    b\nelif c:\n    d\n", "if a:\n    b\nelse:\n    if c:\n        d\n"),
    ("f(x=1, *a)", "f(*a, x=1)"),
    ("x = 16 + 1_000 + 1e3 + .5 + 0J", "x=0x10+1000+1000.+0.50+0j"),
    ("y = 1if x else 0xfor z", "y = 1 if x else 15 or z"),
    ("x = (1.0).real", "x = 1..real"),
    ("x = 'a' \"b\"  # it's", 'x = """ab"""'),
    ("x = rb'\\''", 'x = b"\\\\\'"'),
    ("x = f'{a}' f'{b}'", 'x = f"{a}{b}"'),
    ("ﬁ = 1  # \u00b5", "fi = 1"),
    ("class A: pass", "class A():\n    pass # '"),
    ("print 1", " print 1 \u00a0\n"),
    ("\u00a0x = (", "x = ("),
]
PIECES = [*"'\"#\\\n fx1.0(=,)", "elif", "else", "if", "\u00a0", "'''", 'rb"', "x", "1e5", "0x1", "x = ", "\n    "]


def named(programs: Sequence[str]) -> dict[SampleId, str]:
    return {SampleId(f"P/{n % 2}", n // 2): program for n, program in enumerate(programs)}


def by_digests(programs: dict[SampleId, str]) -> dict[SampleId, int]:
    return group_numbers({sample: fingerprint(program) for sample, program in programs.items()})


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_written_differently(one: str, other: str):
    assert fingerprint(one) == fingerprint(other)
    assert skeleton(one) == skeleton(other)
    groups = program_groups({SampleId("P", n): text for n, text in enumerate([one, "x = 'another'", other, one])})
    assert list(groups.values()) == [0, 1, 0, 0]


@pytest.mark.skipif(not NESTED_QUOTES, reason="quotes do not nest before Python 3.12")
def test_quotes_within_quotes():
    one, other = "x = f'{a['b']}'", 'x = f"{a["b"]}"'
    assert fingerprint(one) == fingerprint(other)
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize("path", LIBRARY[:: 1 + len(LIBRARY) // 60], ids=lambda path: path.name)
def test_pythons_own_library_printed_again(path: Path):
    program = path.read_text(encoding="utf-8")
    assert skeleton(program) == skeleton(ast.unparse(ast.parse(program)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), max_size=8))
@example(["x", "x ", "x#", "x\n\n", "(x)", "x = 1", "x=1", "x = 0x1", "x = 1.0"])
@example(["x = f'{1}'", "x = F'{1}'", "x = f'{2}'", "x = '{1}'", "x = 1", "x = rb''", 'x = bR""', "x = b''"])
def test_groups_are_those_of_the_digests(texts: list[str]):
    programs = named(texts)
    assert program_groups(programs) == by_digests(programs)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec=None)), max_size=6))
def test_any_text_is_grouped(texts: list[str]):
    programs = named([*texts, *texts])
    assert program_groups(programs) == by_digests(programs)


def test_only_programs_that_may_be_the_same_are_parsed(monkeypatch: pytest.MonkeyPatch):
    parsed: list[str] = []

    def record(programs: Sequence[str]) -> list[str]:
        parsed.extend(programs)
        return [fingerprint(program) for program in programs]

    monkeypatch.setattr(module, "fingerprints", record)
    programs = ["x = 1", "x = 1", "x = 2", "x = 2 # two", "y = 1", "x = 1 # of another problem"]
    samples = [*(SampleId("A", n) for n in range(5)), SampleId("B", 0)]
    groups = program_groups(dict(zip(samples, programs, strict=True)))
    assert parsed == ["x = 2", "x = 2 # two"]
    assert list(groups.values()) == [0, 0, 1, 1, 2, 0]


PARTS = ["'''\\", "'''\n\\", "'''a\\'", "'", "'\\", "\\'", "'\"", "rb'", "#'", "1_", "1e+", "0x", ".", "\u00e9"]


@pytest.mark.parametrize("part", PARTS)
def test_a_hostile_program_is_read_once(part: str):
    """Hours, if each of its quotes were the beginning of a string that is read to the end."""
    assert skeleton(part * (5_000_000 // len(part))) is not None
