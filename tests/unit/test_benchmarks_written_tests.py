"""Tests that a model wrote: what is taken of them, and what is not."""

import pytest

from benchmarks.doctor.cases import CallCase
from benchmarks.written_tests import PER_TEXT, written_cases


def cases(*texts: str, most: int = 100) -> list[tuple[CallCase, int]]:
    return written_cases(texts, "f", most)


def test_cases_are_counted_by_text():
    first, second = CallCase("1, 'a'", "[2]"), CallCase("[-3]", "None")
    texts = [
        "assert f(1, 'a') == [2]\nassert f(1,'a')==[2]  # again\nassert f([-3]) == None",
        " \n    f( 1, 'a' ) == [2], 'the end of a prompt was the assert'\nassert \n f(1, ",
        "assert f([-3]) == None",
        "nothing",
    ]
    assert cases(*texts[:2]) == [(first, 2), (second, 1)]
    assert dict(cases(*texts)) == {first: 2, second: 2}
    assert len(cases(*texts, most=1)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "assert f(x) == 1",
        "assert f(1) == g(1)",
        "assert f(__import__('os').getcwd()) == 1",
        "assert f(1) == __import__('os').getcwd()",
        "assert f(n=1) == 1",
        "assert g(1) == 1",
        "assert f(1) > 0",
        "f(1) = 2",
        "assert f(" + "[" * 500 + "]" * 500 + ") == 1",
        "assert f('" + "a" * 2000 + "') == 1",
        "\x00",
    ],
)
def test_only_calls_of_literals_with_literal_answers_are_taken(text: str):
    assert cases(text) == []


def test_one_long_text_does_not_outvote_the_others():
    assert len(cases("\n".join(f"assert f({n}) == {n}" for n in range(50)))) == PER_TEXT


def test_what_follows_a_case_does_not_matter():
    assert cases("assert f([1,\n   2]) == 3\n   what is this\n") == [(CallCase("[1, 2]", "3"), 1)]
    assert cases("assert f(1) == 3\ndef g(:\n") == [(CallCase("1", "3"), 1)]
