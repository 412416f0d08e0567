"""Votes and filters among k samples: only the k that are drawn count."""

import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from harness.stats.group_selection import Groups, draw_chances, vote_of_k

numbers = st.integers(0, 2**31)


def vote_by_enumeration(groups: np.ndarray, rewards: np.ndarray, k: int) -> float:
    """The mean over every subset of k: one of the samples whose group is the largest in the subset, each equally."""
    values = []
    for subset in combinations(range(len(groups)), k):
        sizes = [sum(groups[other] == groups[one] for other in subset) for one in subset]
        winners = [one for one, size in zip(subset, sizes, strict=True) if size == max(sizes)]
        values.append(np.mean(rewards[winners]))
    return float(np.mean(values))


@given(numbers, st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_a_vote_is_the_mean_over_every_subset(seed: int, samples: int, labels: int):
    rng = np.random.default_rng(seed)
    groups_PN = rng.integers(0, labels, (2, samples))
    rewards_PN = rng.random((2, samples)).round(int(rng.integers(0, 3)))
    mask_PN = rng.random((2, samples)) < 0.9
    ks = list(range(1, samples + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some have too few samples
        values_PK = vote_of_k(groups_PN, rewards_PN, mask_PN, ks)
    for values_K, groups_N, rewards_N, mask_N in zip(values_PK, groups_PN, rewards_PN, mask_PN, strict=True):
        for k, value in zip(ks, values_K, strict=True):
            if k > mask_N.sum():
                assert np.isnan(value)
            else:
                assert value == pytest.approx(vote_by_enumeration(groups_N[mask_N], rewards_N[mask_N], k), abs=1e-12)


@given(numbers, st.lists(st.integers(1, 3), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_group_of_the_highest_value_is_chosen(seed: int, sizes: list[int]):
    """Values that rise with the number of drawn samples, by different steps and with ties between groups."""
    rng = np.random.default_rng(seed)
    values_GC = rng.integers(0, 3, (len(sizes), 4)).cumsum(axis=1).astype(float)
    rewards_GC = rng.random((len(sizes), 4))
    group_of = np.repeat(np.arange(len(sizes)), sizes)
    ks = list(range(1, len(group_of) + 1))
    values_K = Groups(np.array(sizes), values_GC, rewards_GC).of_k(ks)
    for k, value in zip(ks, values_K, strict=True):
        expected = []
        for subset in combinations(group_of.tolist(), k):
            drawn = {group: subset.count(group) for group in set(subset)}
            best = max(values_GC[group, count] for group, count in drawn.items())
            winners = [rewards_GC[group, count] for group, count in drawn.items() if values_GC[group, count] == best]
            expected.append(np.mean(winners))
        assert value == pytest.approx(np.mean(expected), abs=1e-12)


def test_the_chances_of_a_draw_are_hypergeometric():
    chances_JC = draw_chances(7, 4, 9)
    for j in range(10):
        expected_C = hypergeom.pmf(np.arange(5), 11, 4, j)
        np.testing.assert_allclose(chances_JC[j], expected_C, atol=1e-12)


def test_many_samples_do_not_lose_precision():
    """With one group of passes and one of failures, the vote is the majority's: a sum of the hypergeometric."""
    groups_1N = np.repeat([0, 1], [520, 480])[None]
    rewards_1N = (groups_1N == 0).astype(float)
    ((value,),) = vote_of_k(groups_1N, rewards_1N, np.ones_like(groups_1N, dtype=bool), [101])
    assert value == pytest.approx(hypergeom.sf(50, 1000, 520, 101), abs=1e-10)
