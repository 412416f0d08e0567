"""Softmax selection: one of k samples drawn with probability softmax(score / beta), the policy of the Q-Probe paper."""

import numpy as np

from harness.numbers.estimates import Bools, Floats


def softmax_probabilities(scores_PN: Floats, mask_PN: Bools, beta: float) -> Floats:
    """The chance [P, N] of each sample when all of a problem's graded samples stand for choice.

    beta = 0 shares the choice evenly among the best-scored; rows of problems without a graded sample are zero.
    """
    masked_PN = np.where(mask_PN, scores_PN, -np.inf)
    best_P1 = masked_PN.max(axis=1, initial=-np.inf, keepdims=True)
    gaps_PN = masked_PN - np.where(np.isfinite(best_P1), best_P1, 0.0)
    odds_PN = (gaps_PN == 0).astype(np.float64) if beta == 0 else np.exp(gaps_PN / beta)
    return np.asarray(odds_PN / np.where(np.isfinite(best_P1), odds_PN.sum(axis=1, keepdims=True), 1.0))


def softmax_selection(scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools, beta: float) -> Floats:
    """The expected reward [P] of softmax selection among all graded samples; NaN where there is none."""
    chances_PN = softmax_probabilities(scores_PN, mask_PN, beta)
    return np.where(mask_PN.any(1), (chances_PN * rewards_PN).sum(1), np.nan)
