"""Calibration and difficulty: what is planted is result, and what is computed is what another computation says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats import calibrate, relate_to_difficulty


def chances(problems: int = 300, samples: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances of a pass, rewards drawn with just these, and a mask with holes."""
    rng = np.random.default_rng(seed)
    chances_PN = 1 / (1 + np.exp(-rng.standard_normal((problems, samples)) - rng.standard_normal((problems, 1))))
    return chances_PN, (rng.random(chances_PN.shape) < chances_PN).astype(float), rng.random(chances_PN.shape) < 0.9


def test_true_chances_are_calibrated_and_doubled_ones_are_not():
    chances_PN, rewards_PN, mask_PN = chances()
    good = calibrate("true", chances_PN, rewards_PN, mask_PN, estimates=True)
    assert good.error == pytest.approx(0, abs=0.03)
    assert sum(part.low <= part.score <= part.high for part in good.bins) >= 8
    bad = calibrate("doubled", 2 * chances_PN, rewards_PN, mask_PN, estimates=True)
    assert bad.error == pytest.approx(chances_PN[mask_PN].mean(), abs=0.03)
    order = calibrate("order", chances_PN, rewards_PN, mask_PN, estimates=False)
    assert order.error is None
    assert order.brier is None
    assert [part.passed for part in order.bins] == sorted(part.passed for part in order.bins)


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_bins_hold_every_graded_sample_once(seed: int):
    scores_PN, rewards_PN, mask_PN = chances(7, 5, seed)
    result = calibrate("any", scores_PN.round(1), rewards_PN, mask_PN, estimates=True, resamples=20)
    assert sum(part.samples for part in result.bins) == mask_PN.sum()
    passes = sum(part.samples * part.passed for part in result.bins)
    assert passes == pytest.approx((rewards_PN * mask_PN).sum())
    assert result.brier == pytest.approx(((scores_PN.round(1) - rewards_PN) ** 2)[mask_PN].mean())
    assert max(part.samples for part in result.bins) - min(part.samples for part in result.bins) <= 1


def test_the_correlation_with_difficulty_is_spearmans():
    chances_PN, rewards_PN, mask_PN = chances(60)
    result = relate_to_difficulty("true", chances_PN, rewards_PN, mask_PN)
    level_P = np.ma.array(chances_PN, mask=~mask_PN).mean(1)
    rate_P = np.ma.array(rewards_PN, mask=~mask_PN).mean(1)
    assert result.correlation == pytest.approx(stats.spearmanr(level_P, rate_P).statistic)
    assert result.low < result.correlation < result.high


def test_what_lies_between_problems_is_a_share_of_the_variance():
    rng = np.random.default_rng(0)
    level_P1, own_PN = rng.standard_normal((200, 1)), rng.standard_normal((200, 50))
    everything, rewards_PN = np.ones((200, 50), dtype=bool), rng.integers(0, 2, (200, 50)).astype(float)
    only_level = relate_to_difficulty("level", level_P1 + 0 * own_PN, rewards_PN, everything)
    assert only_level.between == pytest.approx(1.0)
    half = relate_to_difficulty("half", level_P1 + own_PN, rewards_PN, everything)
    assert half.between == pytest.approx(0.5, abs=0.07)
    few_PN = np.where(np.arange(50) < 4, own_PN, np.nan)  # noise of 4 samples, whose means differ by chance
    noise = relate_to_difficulty("noise", np.nan_to_num(few_PN), rewards_PN, np.isfinite(few_PN))
    assert noise.between == pytest.approx(0.0, abs=0.1)
    nothing = relate_to_difficulty("constant", 0 * own_PN, rewards_PN, everything)
    assert nothing.between == 0.0
    assert np.isnan(nothing.correlation)


def test_the_share_between_problems_is_not_biased_by_the_number_of_samples():
    """Simulated from its definition, with problems of different sizes: a third of the variance is between problems."""
    shares = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        scores_PN = rng.standard_normal((40, 1)) + np.sqrt(2) * rng.standard_normal((40, 6))
        mask_PN = np.arange(6) < rng.integers(2, 7, (40, 1))
        shares.append(relate_to_difficulty("x", scores_PN, 1.0 * (scores_PN > 0), mask_PN, resamples=2).between)
    assert np.mean(shares) == pytest.approx(1 / 3, abs=0.03)
