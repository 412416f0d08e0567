"""The parts of the guest that whole programs need: comparing outputs, talking to a program."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cases import Case, Checker, cases_of, program_tests
from sandbox.guest.outputs import converse, difference

WORDS = st.lists(st.text("ab1.-_é", min_size=1), max_size=5)
SPACES = st.text(" \t\n\r", min_size=1, max_size=3)


@given(WORDS, WORDS, st.data())
def test_tokens_are_words_whatever_stands_between(printed: list[str], expected: list[str], data: st.DataObject):
    one = "".join(word + data.draw(SPACES) for word in printed)
    other = " ".join(expected)
    assert (difference("tokens", one.encode(), other.encode()) == "") == (printed == expected)


@given(st.text("ab \n\t", max_size=12), st.text("ab \n\t", max_size=12))
def test_lines_are_the_same_but_for_their_ends(printed: str, expected: str):
    def stripped(text: str) -> str:
        return "\n".join(map(str.rstrip, text.split("\n"))).rstrip("\n")

    same = stripped(printed) == stripped(expected)
    assert (difference("lines", printed.encode(), expected.encode()) == "") == same


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_near(printed: float, expected: float):
    near = math.isclose(printed, expected, rel_tol=0.0, abs_tol=1e-6 * max(1.0, abs(expected)))
    assert (difference("numbers", repr(printed).encode(), repr(expected).encode()) == "") == near


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("nan", "1"),
        ("1", "nan"),
        ("inf", "1e308"),
        ("5", "inf"),
        ("-inf", "inf"),
        ("1_0", "10"),
        ("\uff11", "1"),
        ("x", "y"),
    ],
)
def test_what_is_no_near_number(printed: str, expected: str):
    assert difference("numbers", printed.encode(), expected.encode())


@pytest.mark.parametrize("rule", ["tokens", "lines", "numbers"])
@given(st.binary(max_size=30))
def test_everything_equals_itself(rule: str, text: bytes):
    assert difference(rule, text, text) == ""


def test_white_space_is_ascii():
    assert difference("tokens", "a\u00a0b".encode(), b"a b")


def test_the_first_difference_is_shown():
    assert difference("tokens", b"1 2 4", b"1 2 3") == "token 3 is '4', not '3'"
    assert difference("lines", b"a\n", b"a\nb\n") == "1 lines, not 2"
    assert len(difference("tokens", b"x" * 10_000, b"y" * 10_000)) < 200


def talk(program: str, given: bytes, limit: int = 1 << 20) -> tuple[bytes | None, bytes]:
    """Talk to a program of this interpreter's."""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdin
    assert child.stdout
    assert child.stderr
    fds = [os.dup(stream.fileno()) for stream in (child.stdin, child.stdout, child.stderr)]
    for stream in (child.stdin, child.stdout, child.stderr):
        stream.close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    output = converse((fds[0], fds[1], fds[2]), given, limit)
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 3
    child.wait()
    return output


def test_both_sides_talk_at_once():
    text = b"0123456789" * 200_000
    echo = "import sys\nwhile data := sys.stdin.buffer.read1(999): sys.stdout.buffer.write(data)"
    assert talk(echo, text, len(text)) == (text, b"")


@pytest.mark.parametrize("given", [b"", b"x", b"x" * 1_000_000])
def test_an_input_that_nobody_reads(given: bytes):
    assert talk("print('done')", given) == (b"done\n", b"")


def test_output_beyond_the_limit_is_refused():
    assert talk("print('x' * 100)", b"", 100) == (None, b"")
    printed, complaint = talk("while True: print('x' * 10_000)", b"", 1000)
    assert printed is None
    assert b"BrokenPipeError" in complaint


def test_the_end_of_the_complaints_is_kept():
    printed, complaint = talk("import sys\nprint('y' * 10**6, file=sys.stderr)\nprint('end', file=sys.stderr)", b"")
    assert printed == b""
    assert complaint.endswith(b"y\nend\n")
    assert len(complaint) == 8000


def test_cases_survive_packing():
    cases = [Case("1 é\ud800\n", ""), Case("", "x")]
    assert cases_of(program_tests(cases)) == cases
    assert cases_of(program_tests(cases, Checker("def f(): pass", "f"))) == cases
