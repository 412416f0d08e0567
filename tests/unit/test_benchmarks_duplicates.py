"""Groups of near-duplicate problems: which problems are alike, and what is said where they cannot share folds."""

import random
from collections.abc import Sequence
from itertools import combinations

import pytest

from benchmarks import Problem
from benchmarks.duplicates import _shingles, group_near_duplicates, group_problems


def problems(*prompts: str) -> list[Problem]:
    return [Problem(f"p/{number}", prompt, "f", "assert f()") for number, prompt in enumerate(prompts)]


LARGEST = "Write a function to find the largest number in a list."
REVERSE = "Write a program that prints all words of a sentence backwards, one per line."
PRIMES = "Return every prime below n, in ascending order, as a tuple of integers."
NEARLY = LARGEST.replace("a function", "a python function")


def numbers(prompts: Sequence[str], folds: int) -> list[int]:
    return list(group_problems(problems(*prompts), folds).groups.values())


def test_near_duplicates_share_a_group_as_long_as_the_groups_make_the_folds():
    prompts = [LARGEST, REVERSE, NEARLY, PRIMES]
    assert numbers(prompts, 3) == [0, 1, 0, 2]
    assert group_problems(problems(*prompts), 3).warning == ""


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 1.0])
def test_the_index_finds_every_similar_pair(threshold: float):
    """Few different words, so that prompts are alike in all degrees; each group is that of all pairs compared."""
    rng = random.Random(0)
    texts = {f"p{n}": " ".join(rng.choices("abc", [9, 3, 1], k=rng.randint(1, 12))) for n in range(120)}
    shingles = {name: _shingles(text) for name, text in texts.items()}
    group = {name: {name} for name in texts}
    for one, other in combinations(texts, 2):
        both, either = shingles[one] & shingles[other], shingles[one] | shingles[other]
        if len(both) >= threshold * len(either) and group[one] is not group[other]:
            group[one] |= group[other]
            group |= dict.fromkeys(group[other], group[one])
    found = group_near_duplicates(texts, threshold)
    assert {frozenset(members) for members in group.values()} == {
        frozenset(name for name in found if found[name] == number) for number in found.values()
    }
    assert 1 < len(set(found.values())) < 120 or threshold < 0.5


def test_tests_that_a_prompt_shows_do_not_count():
    assert numbers([f"{LARGEST}\nassert f([1]) == 1", f"{LARGEST}\nassert f([9, 8, 7]) == 9", REVERSE, PRIMES], 3) == [
        0,
        0,
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("prompts", "folds", "groups", "warning"),
    [
        (
            [LARGEST, NEARLY, REVERSE, PRIMES],
            4,
            [0, 1, 2, 3],
            "Near-duplicate problems may be in different folds (no two share one): the 4 problems are 3 groups of "
            "near-duplicates, too few for 4 folds. At most 3 folds keep all of them together.",
        ),
        (
            [LARGEST, NEARLY, REVERSE, REVERSE, PRIMES],
            4,
            [0, 1, 2, 2, 3],
            "Near-duplicate problems may be in different folds (only equal ones share one): the 5 problems are 3 "
            "groups of near-duplicates, too few for 4 folds. At most 3 folds keep all of them together.",
        ),
        (
            [LARGEST, NEARLY, LARGEST, REVERSE],
            2,
            [0, 1, 0, 2],
            "Near-duplicate problems may be in different folds (only equal ones share one): 3 of the 4 problems are "
            "near-duplicates of each other.",
        ),
    ],
)
def test_where_they_cannot_share_folds_a_warning_says_why(
    prompts: list[str], folds: int, groups: list[int], warning: str
):
    grouping = group_problems(problems(*prompts), folds)
    assert list(grouping.groups.values()) == groups
    assert grouping.warning == warning
