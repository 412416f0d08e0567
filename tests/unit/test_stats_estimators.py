"""Estimates of pass@k, best-of-k and softmax selection against brute force over all subsets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import best_of_k, chances_of_k, pass_at_1, pass_at_k, softmax_chances, softmax_of_k
from harness.stats.selection import ERROR

SAMPLES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=8)


def padded(samples: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, rewards and mask [2, N + 1]: one tempting masked sample, and a second problem with nothing graded."""
    scores = np.array([[*(score for score, _ in samples), 9], [9] * (len(samples) + 1)], dtype=float)
    rewards = np.array([[*(reward for _, reward in samples), 1], [1] * (len(samples) + 1)], dtype=float)
    mask = np.array([[True] * len(samples) + [False], [False] * (len(samples) + 1)])
    return scores, rewards, mask


def brute_chances(scores: list[float], k: int, beta: float) -> np.ndarray:
    """The chance of each sample, subset by subset."""
    total, subsets = np.zeros(len(scores)), list(combinations(range(len(scores)), k))
    for subset in map(list, subsets):
        gaps = np.array(scores)[subset] - max(scores[i] for i in subset)
        odds = (gaps == 0).astype(float) if beta == 0 else np.exp(gaps / beta)
        total[subset] += odds / odds.sum()
    return total / len(subsets)


@given(SAMPLES)
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore:.*no number for them")
def test_best_of_k_is_the_mean_over_all_subsets(samples: list[tuple[int, int]]):
    ks = list(range(1, len(samples) + 1))
    values_PK = best_of_k(*padded(samples), ks)
    rewards = np.array([reward for _, reward in samples])
    expected = [brute_chances([score for score, _ in samples], k, 0.0) @ rewards for k in ks]
    np.testing.assert_allclose(values_PK[0], expected, atol=1e-12)
    assert np.isnan(values_PK[1]).all()


@given(SAMPLES, st.sampled_from([5.0, 1.0, 0.2, 0.03, 0.001, 0.0]))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore:.*no number for them")
def test_softmax_selection_of_k_is_the_mean_over_all_subsets(samples: list[tuple[int, int]], beta: float):
    scores_PN, rewards_PN, mask_PN = padded(samples)
    for k in range(1, len(samples) + 1):
        chances_PN = chances_of_k(scores_PN, mask_PN, k, beta)
        expected = brute_chances([score for score, _ in samples], k, beta)
        np.testing.assert_allclose(chances_PN[0, :-1], expected, atol=ERROR)
        assert chances_PN[0, -1] == 0.0
        value_P = softmax_of_k(scores_PN, rewards_PN, mask_PN, k, beta)
        assert value_P[0] == pytest.approx(expected @ rewards_PN[0, :-1], abs=ERROR)
        assert np.isnan(value_P[1])


@pytest.mark.parametrize("beta", [1.0, 0.05])
def test_softmax_selection_of_many_agrees_with_drawing_subsets(beta: float):
    rng = np.random.default_rng(0)
    scores_N, k = rng.standard_normal(60), 12
    subsets_BK = rng.random((20_000, 60)).argsort(axis=1)[:, :k]
    odds_BK = np.exp((scores_N[subsets_BK] - scores_N.max()) / beta)
    drawn_N = np.bincount(subsets_BK.ravel(), (odds_BK / odds_BK.sum(1, keepdims=True)).ravel(), 60) / len(subsets_BK)
    chances_PN = chances_of_k(scores_N[None], np.ones((1, 60), dtype=bool), k, beta)
    np.testing.assert_allclose(chances_PN[0], drawn_N, atol=0.01)
    assert chances_PN.sum() == pytest.approx(1.0, abs=60 * ERROR)


@pytest.mark.parametrize(("n", "k"), [(60, 12), (60, 59), (300, 20), (1500, 2), (1500, 200)])
def test_the_expected_reward_of_many_is_that_of_their_chances(n: int, k: int):
    """Two recursions; the numbers of neither leave the range of floats."""
    rng = np.random.default_rng(0)
    scores_PN, rewards_PN = rng.standard_normal((2, n)), rng.random((2, n))
    rewards_PN[1] = 0.25
    every_PN = np.ones((2, n), dtype=bool)
    expected_P = (chances_of_k(scores_PN, every_PN, k, 0.3) * rewards_PN).sum(1)
    values_P = softmax_of_k(scores_PN, rewards_PN, every_PN, k, 0.3)
    np.testing.assert_allclose(values_P, expected_P, atol=n * ERROR)
    assert values_P[1] == 0.25, "where all rewards are equal, the rule makes no difference"


@given(SAMPLES, st.sampled_from([2.0, 0.3, 0.05]), st.sampled_from([1e-2, 1e-4, 1e-7]))
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:.*no number for them")
def test_the_stated_error_is_kept(samples: list[tuple[int, int]], beta: float, error: float):
    scores_PN, _, mask_PN = padded(samples)
    for k in range(1, len(samples) + 1):
        chances_PN = chances_of_k(scores_PN, mask_PN, k, beta, error)
        expected = brute_chances([score for score, _ in samples], k, beta)
        np.testing.assert_allclose(chances_PN[0, :-1], expected, atol=error)


def test_softmax_over_all_samples_survives_extreme_scores():
    chances_PN = softmax_chances(np.array([[1e6, 0.0, 1e6]]), np.array([[True, True, True]]), 1e-3)
    np.testing.assert_allclose(chances_PN, [[0.5, 0.0, 0.5]])


@given(SAMPLES)
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore:.*no number for them")
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(samples: list[tuple[int, int]]):
    _, rewards_PN, mask_PN = padded(samples)
    for k in range(1, len(samples) + 1):
        share = np.mean([any(subset) for subset in combinations([reward for _, reward in samples], k)])
        assert pass_at_k(rewards_PN, mask_PN, k)[0] == pytest.approx(share)
    assert pass_at_1(rewards_PN, mask_PN)[0] == pytest.approx(pass_at_k(rewards_PN, mask_PN, 1)[0])


def test_too_few_samples_give_no_number_and_a_warning():
    mask_PN = np.array([[True, True, False], [True, True, True]])
    for estimate in (
        lambda: pass_at_k(np.ones((2, 3)), mask_PN, 3),
        lambda: best_of_k(np.ones((2, 3)), np.ones((2, 3)), mask_PN, [3])[:, 0],
        lambda: softmax_of_k(np.ones((2, 3)), np.ones((2, 3)), mask_PN, 3, 0.1),
    ):
        with pytest.warns(UserWarning, match="1 problems have fewer than 3"):
            values_P = estimate()
        assert np.isnan(values_P[0])
        assert values_P[1] == pytest.approx(1.0)
