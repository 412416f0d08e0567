"""Selection among draws with replacement, against every sequence of draws."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.curves import kl_from_base, reward_against_kl
from harness.stats.replacement import chances_with_replacement
from harness.stats.selection import softmax_chances


def by_enumeration(scores: list[float], k: int, beta: float) -> np.ndarray:
    """The chance of each sample: the mean over all n^k sequences of k draws."""
    chances = np.zeros(len(scores))
    for draws in product(range(len(scores)), repeat=k):
        own = np.array([scores[i] for i in draws])
        odds = (own == own.max()).astype(float) if beta == 0 else np.exp((own - own.max()) / beta)
        for i, share in zip(draws, odds / odds.sum(), strict=True):
            chances[i] += share / len(scores) ** k
    return chances


@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=5), st.integers(1, 5), st.sampled_from([0.0, 0.05, 0.4, 1.0, 9.0])
)
@settings(max_examples=150, deadline=None)
def test_chances_are_means_over_every_sequence_of_draws(scores: list[int], k: int, beta: float):
    scores_PN = np.array([[*map(float, scores), 99.0], [*map(float, scores[::-1]), 1.0]])
    mask_PN = np.array([[True] * len(scores) + [False], [True] * len(scores) + [True]])
    chances_PN = chances_with_replacement(scores_PN, mask_PN, k, beta)
    np.testing.assert_allclose(chances_PN[0, :-1], by_enumeration(scores_PN[0, :-1].tolist(), k, beta), atol=1e-8)
    np.testing.assert_allclose(chances_PN[1], by_enumeration(scores_PN[1].tolist(), k, beta), atol=1e-8)
    assert chances_PN[0, -1] == 0.0


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_at_k_equal_to_n_the_limit_is_not_reached_but_approached(beta: float):
    scores_PN = np.random.default_rng(0).standard_normal((4, 100))
    mask_PN = np.ones(scores_PN.shape, dtype=bool)
    limit_PN = softmax_chances(scores_PN, mask_PN, beta)
    gaps = [np.abs(chances_with_replacement(scores_PN, mask_PN, k, beta) - limit_PN).max() for k in (10, 100, 3000)]
    assert gaps[0] > gaps[1] > 0.01 > gaps[2]


def test_the_distance_of_the_best_of_n_is_near_that_of_a_continuous_score():
    """KL of the best of k is log k - (k - 1) / k for scores that never repeat, and less among stored samples."""
    scores_PN = np.arange(100.0)[None]
    mask_PN = np.ones(scores_PN.shape, dtype=bool)
    kl = kl_from_base(chances_with_replacement(scores_PN, mask_PN, 100, 0.0), mask_PN)[0]
    assert 3.3 < kl <= np.log(100) - 99 / 100 + 1e-9


def test_the_effective_number_of_samples_is_that_of_equal_chances():
    scores_PN = np.array([[0.0, 0.0, 5.0, 5.0], [1.0, 1.0, 9.0, 9.0]])
    mask_PN = np.ones(scores_PN.shape, dtype=bool)
    soft, sharp = reward_against_kl(scores_PN, scores_PN, mask_PN, [1e9, 1e-3])
    assert soft.effective == pytest.approx(4.0)
    assert sharp.effective == pytest.approx(2.0)
    assert sharp.kl == pytest.approx(np.log(2))
