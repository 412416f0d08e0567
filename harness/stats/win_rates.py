"""Win rates by prompt, with intervals, and apart from the lengths of the replies."""

from dataclasses import dataclass

import numpy as np

from harness.stats.estimators import Floats
from harness.stats.intervals import percentile_interval, resample, resampled_means

RESAMPLES = 2000
RIDGE = 1e-2
"""The penalty of the logistic regression: without one, a policy that always wins has no finite coefficients."""
STEPS = 25


@dataclass(frozen=True, slots=True)
class WinRate:
    """The share of prompts on which one reply beats another, ties counting one half; 95 % intervals over prompts.

    `controlled` is the share that a logistic regression of wins on the difference of lengths predicts for replies of
    equal length (after Dubois et al. 2024, arXiv 2404.04475).
    """

    name: str
    other: str
    prompts: int  # with a valid verdict
    rate: float
    low: float
    high: float
    controlled: float
    controlled_low: float
    controlled_high: float
    ties: int
    invalid: int  # prompts without a valid verdict, which are no part of the rates


def win_rate(name: str, other: str, wins_P: Floats, longer_P: Floats, *, seed: int = 0) -> WinRate:
    """Return the win rate of wins [P] (1, 0, one half for a tie, NaN for none) and log ratios of lengths [P]."""
    valid_P = np.isfinite(wins_P)
    wins_V, longer_V = wins_P[valid_P], longer_P[valid_P]
    blank = float("nan")
    if not len(wins_V):
        return WinRate(name, other, 0, blank, blank, blank, blank, blank, blank, 0, len(wins_P))
    counts_BV = resample(len(wins_V), RESAMPLES, seed)
    low, high = percentile_interval(resampled_means(wins_V[None], counts_BV))
    at_equal_length = length_controlled(wins_V, longer_V, np.ones((1, len(wins_V))))[0]
    controlled_low, controlled_high = percentile_interval(length_controlled(wins_V, longer_V, counts_BV)[None])
    return WinRate(
        name,
        other,
        len(wins_V),
        float(wins_V.mean()),
        float(low[0]),
        float(high[0]),
        float(at_equal_length),
        float(controlled_low[0]),
        float(controlled_high[0]),
        int((wins_V == 0.5).sum()),
        int((~valid_P).sum()),
    )


def length_controlled(wins_P: Floats, longer_P: Floats, counts_BP: Floats) -> Floats:
    """Return the win rate [B] at equal length by a logistic regression with each resample's counts as weights.

    The feature is tanh of the standardised log ratio of the lengths, so that extreme ratios weigh no more than others.
    """
    scale = float(longer_P.std())
    feature_P = np.tanh(longer_P / scale) if scale > 0 else np.zeros_like(longer_P)
    design_P2 = np.stack([np.ones_like(feature_P), feature_P], axis=1)
    weights_B2 = np.zeros((len(counts_BP), 2))
    penalty_22 = RIDGE * np.eye(2)
    for _ in range(STEPS):  # Newton's method on a strictly convex loss
        chance_BP = 1 / (1 + np.exp(-np.clip(weights_B2 @ design_P2.T, -30, 30)))
        gradient_B2 = (counts_BP * (wins_P - chance_BP)) @ design_P2 - weights_B2 @ penalty_22
        curvature_BP = counts_BP * chance_BP * (1 - chance_BP)
        hessian_B22 = np.einsum("bp,pi,pj->bij", curvature_BP, design_P2, design_P2) + penalty_22
        weights_B2 = weights_B2 + np.clip(np.linalg.solve(hessian_B22, gradient_B2[..., None])[..., 0], -2, 2)
    return np.asarray(1 / (1 + np.exp(-weights_B2[:, 0])))
