"""Win rates: exact where they can be counted, and apart from length where length decides."""

import numpy as np
import pytest

from harness.stats.win_rates import length_controlled, win_rate


def test_ties_count_one_half_and_invalid_verdicts_count_nowhere():
    row = win_rate("probe", "base", np.array([1.0, 0.0, 0.5, 1.0, np.nan]), np.zeros(5))
    assert (row.prompts, row.rate, row.ties, row.invalid) == (4, 0.625, 1, 1)
    assert row.low <= row.rate <= row.high
    assert row.controlled == pytest.approx(row.rate, abs=0.01)


def test_without_a_valid_verdict_there_is_no_rate():
    row = win_rate("probe", "base", np.full(3, np.nan), np.zeros(3))
    assert (row.prompts, row.invalid) == (0, 3)
    assert np.isnan(row.rate)


def test_a_policy_that_wins_by_length_alone_wins_half_at_equal_length():
    """The longer reply wins with probability sigmoid(3 x), and the policy's replies are mostly longer."""
    rng = np.random.default_rng(0)
    longer_P = rng.normal(0.8, 1.0, 4000)
    wins_P = (rng.random(4000) < 1 / (1 + np.exp(-3 * np.tanh(longer_P)))).astype(float)
    row = win_rate("long", "base", wins_P, longer_P)
    assert row.low > 0.65
    assert abs(row.controlled - 0.5) < 0.06


def test_the_regression_agrees_with_an_independent_optimiser():
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(1)
    longer_P, wins_P = rng.normal(0, 2, 60), rng.choice([0.0, 0.5, 1.0], 60)
    counts_P = rng.integers(0, 4, 60).astype(float)
    feature_P = np.tanh(longer_P / longer_P.std())

    def loss(weights: np.ndarray) -> float:
        margin_P = weights[0] + weights[1] * feature_P
        return float((counts_P * (np.logaddexp(0, margin_P) - wins_P * margin_P)).sum() + 0.005 * (weights**2).sum())

    best = optimize.minimize(loss, np.zeros(2), tol=1e-10).x
    expected = 1 / (1 + np.exp(-best[0]))
    assert length_controlled(wins_P, longer_P, counts_P[None])[0] == pytest.approx(expected, abs=1e-4)


def test_a_policy_that_always_wins_is_near_one():
    row = win_rate("always", "base", np.ones(40), np.linspace(-1, 1, 40))
    assert (row.rate, row.low, row.high) == (1.0, 1.0, 1.0)
    assert 0.95 < row.controlled <= 1.0
