"""Uncertainty over problems: bootstrap intervals, paired tests, and Holm's correction.

Problems are the unit of resampling: a run's samples of one problem are not independent.
"""

import warnings
from functools import lru_cache

import numpy as np

from harness.stats.estimators import Floats


@lru_cache(maxsize=4)
def resample(problems: int, resamples: int, seed: int) -> Floats:
    """Draw the count of each problem in each bootstrap resample [B, P]; one seed, one set of resamples, kept."""
    rng = np.random.default_rng(seed)
    counts_BP = np.array(rng.multinomial(problems, np.full(problems, 1 / problems), size=resamples), dtype=np.float64)
    counts_BP.flags.writeable = False
    return counts_BP


@lru_cache(maxsize=4)
def _signs(problems: int, resamples: int, seed: int) -> Floats:
    """Draw a sign for each problem in each resample [B, P], kept like the resamples."""
    signs_BP = np.array(np.random.default_rng(seed).integers(0, 2, size=(resamples, problems)) * 2.0 - 1.0)
    signs_BP.flags.writeable = False
    return signs_BP


def resampled_means(values_RP: Floats, counts_BP: Floats) -> Floats:
    """Return the mean of every row over every resample [R, B]; problems whose value is NaN are ignored."""
    finite_RP = np.isfinite(values_RP)
    sums_RB = np.where(finite_RP, values_RP, 0.0) @ counts_BP.T
    totals_RB = finite_RP.astype(np.float64) @ counts_BP.T
    with np.errstate(invalid="ignore"):
        return np.asarray(sums_RB / totals_RB)


def crossed_means(values_CP: Floats, resamples: int, seed: int) -> Floats:
    """Return the mean of each resample [B], where both the draws C and the problems P are resampled."""
    rng = np.random.default_rng(seed)
    draws, problems = values_CP.shape
    draw_counts_BC = rng.multinomial(draws, np.full(draws, 1 / draws), size=resamples)
    by_draw_CB = resampled_means(values_CP, resample(problems, resamples, seed))
    return np.asarray((draw_counts_BC * by_draw_CB.T).sum(1) / draws)


def percentile_interval(draws_RB: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the bootstrap percentile interval of each row: low [R] and high [R] (Efron 1979)."""
    tail = 100 * (1 - confidence) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row of NaN has NaN as its interval
        low_R, high_R = np.nanpercentile(draws_RB, [tail, 100 - tail], axis=1)
    return low_R, high_R


def finite_mean(values_RP: Floats) -> Floats:
    """Return the mean of each row [R] over the problems with a value; NaN for a row without values."""
    finite_RP = np.isfinite(values_RP)
    sums_R = np.where(finite_RP, values_RP, 0.0).sum(-1)
    counts_R = finite_RP.sum(-1)
    return np.asarray(np.where(counts_R > 0, sums_R / np.clip(counts_R, 1, None), np.nan))


def paired_p(differences_RP: Floats, resamples: int, seed: int) -> Floats:
    """Return the two-sided p-value [R] of mean zero for each row of paired differences, by random sign flips.

    Exact, up to the number of flips, where the differences are symmetric about zero. The observed signs count as one
    of the flips (Phipson and Smyth 2010), so that p is never zero.
    """
    values_RP = np.where(np.isfinite(differences_RP), differences_RP, 0.0)
    sums_RB = np.abs(values_RP @ _signs(values_RP.shape[1], resamples, seed).T)
    observed_R = np.abs(values_RP.sum(1))
    beyond_R = (sums_RB >= observed_R[:, None] - 1e-12).sum(1)
    return np.asarray((1 + beyond_R) / (1 + resamples))


def holm(p_values: Floats) -> Floats:
    """Return p-values corrected for their number by Holm's step-down (1979); NaN stays NaN and does not count."""
    finite = np.flatnonzero(np.isfinite(p_values))
    order = finite[np.argsort(p_values[finite], kind="stable")]
    stepped = p_values[order] * np.arange(len(order), 0, -1)
    corrected = np.full(p_values.shape, np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected
