"""Estimates against brute force over all subsets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.numbers import best_of_k, pass_at_k

SAMPLES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=8)


def brute_best_of_k(scores: list[int], rewards: list[int], k: int) -> float:
    values = []
    for subset in combinations(range(len(scores)), k):
        top = max(scores[i] for i in subset)
        tied = [rewards[i] for i in subset if scores[i] == top]
        values.append(sum(tied) / len(tied))
    return sum(values) / len(values)


@given(SAMPLES)
@settings(max_examples=200, deadline=None)
def test_best_of_k_is_the_mean_over_all_subsets(samples: list[tuple[int, int]]):
    scores, rewards = [s for s, _ in samples], [r for _, r in samples]
    ks = list(range(1, len(samples) + 1))
    padded = np.array([[*scores, 9]], dtype=float), np.array([[*rewards, 1]], dtype=float)
    mask_PN = np.array([[True] * len(samples) + [False]])
    expected = [brute_best_of_k(scores, rewards, k) for k in ks]
    np.testing.assert_allclose(best_of_k(*padded, mask_PN, ks)[0], expected, atol=1e-12)


@given(SAMPLES)
@settings(max_examples=100, deadline=None)
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(samples: list[tuple[int, int]]):
    rewards = [r for _, r in samples]
    for k in range(1, len(rewards) + 1):
        share = np.mean([any(subset) for subset in combinations(rewards, k)])
        value = pass_at_k(np.array([rewards], dtype=float), np.ones((1, len(rewards)), dtype=bool), k)[0]
        assert value == pytest.approx(share)


def test_too_few_samples_give_no_number_and_a_warning():
    with pytest.warns(UserWarning, match="1 problems have fewer than 3"):
        values_P = pass_at_k(np.ones((2, 3)), np.array([[True, True, False], [True, True, True]]), 3)
    assert np.isnan(values_P[0])
    assert values_P[1] == 1.0
