"""Uncertainty over problems: bootstrap intervals, paired tests, and Holm's correction.

Problems are the unit of resampling: a run's samples of one problem are not independent. Near-duplicate problems are
resampled together. Probes bring a second source of chance: the folds, and training problems that folds share.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from harness.stats.estimators import Floats, Ints

ROUNDING = 1e-6
"""Differences of one problem's expected rewards that 32-bit scores may make."""


@dataclass(frozen=True)
class Design:
    """The dependence of problems: the folds that probes were trained on, and problems that are alike."""

    folds_SP: Ints | None = None  # the fold of each problem, in S cross-validations with different folds
    units_P: Ints | None = None  # problems with the same number are resampled together; None for each by itself

    def counts(self, problems: int, resamples: int, seed: int) -> Floats:
        """Return the count of each problem in each bootstrap resample [B, P]."""
        if self.units_P is None:
            return resample(problems, resamples, seed)
        return resample(int(self.units_P.max()) + 1, resamples, seed)[:, self.units_P]

    def signs(self, problems: int, resamples: int, seed: int) -> Floats:
        """Return a random sign for each problem in each resample [B, P]."""
        if self.units_P is None:
            return _signs(problems, resamples, seed)
        return _signs(int(self.units_P.max()) + 1, resamples, seed)[:, self.units_P]

    def factors(self, values_SRP: Floats, draws_RB: Floats) -> Floats:
        """Return how many times [R] wider than over problems alone each interval is, for the folds; 1 at least.

        Resampled problems do not show that probes would differ with other training problems. The corrected variance of
        repeated cross-validation does (Nadeau and Bengio 2003; Bouckaert and Frank 2004): with K folds, S times, it is
        (1 / (S K) + 1 / (K - 1)) times the variance of the S K means over single folds. A row that is the same in all
        cross-validations does not depend on training.
        """
        if self.folds_SP is None or len(self.folds_SP) < 2:
            return np.ones(len(draws_RB))
        folds = int(self.folds_SP.max()) + 1
        means_RF = np.concatenate(
            [
                _fold_means(values_RP, fold_P, folds)
                for values_RP, fold_P in zip(values_SRP, self.folds_SP, strict=True)
            ],
            axis=1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a row of NaN has no variance
            corrected_R = (1 / means_RF.shape[1] + 1 / (folds - 1)) * np.nanvar(means_RF, axis=1, ddof=1)
            plain_R = np.nanvar(draws_RB, axis=1)
        share_R = corrected_R / np.maximum(plain_R, ROUNDING**2)
        trained_R = (np.nan_to_num(values_SRP) != np.nan_to_num(values_SRP[:1])).any(axis=(0, 2))
        return np.where(trained_R & (share_R > 1), np.sqrt(share_R), 1.0)


def _fold_means(values_RP: Floats, fold_P: Ints, folds: int) -> Floats:
    """The mean of each row over the problems of each fold [R, F]; NaN for a fold without a value."""
    return np.stack([finite_mean(values_RP[:, fold_P == fold]) for fold in range(folds)], axis=1)


PLAIN = Design()
"""One cross-validation, or none, of problems that are unlike each other."""


FEW = 4096
"""The number of problems up to which draws are kept in float64; those of more are kept in a byte each."""

ROWS_AT_ONCE = 256
"""Resamples of many problems that are drawn at once, in the eight bytes per number that NumPy draws."""


@lru_cache(maxsize=4)
def resample(problems: int, resamples: int, seed: int) -> Floats:
    """Draw the count of each problem in each bootstrap resample [B, P]; one seed, one set of resamples, kept."""
    rng, chances_P = np.random.default_rng(seed), np.full(problems, 1 / problems)
    return _drawn(lambda some: rng.multinomial(problems, chances_P, size=some), resamples, problems, np.uint8)


@lru_cache(maxsize=4)
def _signs(problems: int, resamples: int, seed: int) -> Floats:
    """Draw a sign for each problem in each resample [B, P], kept like the resamples."""
    rng = np.random.default_rng(seed)
    return _drawn(lambda some: rng.integers(0, 2, size=(some, problems)) * 2 - 1, resamples, problems, np.int8)


def _drawn(draw: Callable[[int], Ints], resamples: int, problems: int, small: type[np.integer[Any]]) -> Floats:
    """Draw some resamples at a time, so that the integers of all of them are never held at once."""
    drawn_BP = np.empty((resamples, problems), dtype=np.float64 if problems <= FEW else small)
    for first in range(0, resamples, ROWS_AT_ONCE):
        part_BP = drawn_BP[first : first + ROWS_AT_ONCE]
        part_BP[:] = draw(len(part_BP))
    drawn_BP.flags.writeable = False
    return drawn_BP


def products(values_RP: Floats, drawn_BP: Floats) -> Floats:
    """Return the sum of each row over each resample [R, B], from float64 copies of a part of the problems at a time."""
    sums_RB = np.zeros((len(values_RP), len(drawn_BP)))
    for first in range(0, values_RP.shape[1], FEW):
        part = slice(first, first + FEW)
        sums_RB += values_RP[:, part] @ drawn_BP[:, part].T.astype(np.float64, copy=False)
    return sums_RB


def widened(draws_RB: Floats, factors_R: Floats) -> Floats:
    """Return draws that are so many times as far from their means."""
    means_R1 = finite_mean(draws_RB)[:, None]
    return np.asarray(means_R1 + factors_R[:, None] * (draws_RB - means_R1))


def resampled_means(values_RP: Floats, counts_BP: Floats) -> Floats:
    """Return the mean of every row over every resample [R, B]; problems whose value is NaN are ignored."""
    finite_RP = np.isfinite(values_RP)
    sums_RB = products(np.where(finite_RP, values_RP, 0.0), counts_BP)
    totals_RB = products(finite_RP.astype(np.float64), counts_BP)
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


def simultaneous_interval(values_R: Floats, draws_RB: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return intervals low [R] and high [R] all of which hold at once with that confidence, by the bootstrap max-T.

    The largest deviation of any row, in standard errors, gives one width for all: whichever row is looked at because it
    is the best of them, its interval holds (Westfall and Young 1993).
    """
    errors_R = np.nan_to_num(draws_RB.std(axis=1))
    deviations_RB = np.abs(draws_RB - draws_RB.mean(axis=1, keepdims=True))
    varies_R = errors_R > 0
    if not varies_R.any():
        return values_R, values_R
    largest_B = (deviations_RB[varies_R] / errors_R[varies_R, None]).max(axis=0)
    width_R = np.percentile(largest_B, 100 * confidence) * errors_R
    return values_R - width_R, values_R + width_R


def finite_mean(values_RP: Floats) -> Floats:
    """Return the mean of each row [R] over the problems with a value; NaN for a row without values."""
    finite_RP = np.isfinite(values_RP)
    sums_R = np.where(finite_RP, values_RP, 0.0).sum(-1)
    counts_R = finite_RP.sum(-1)
    return np.asarray(np.where(counts_R > 0, sums_R / np.clip(counts_R, 1, None), np.nan))


def paired_p(
    differences_RP: Floats, resamples: int, seed: int, design: Design = PLAIN, factors_R: Floats | None = None
) -> Floats:
    """Return the two-sided p-value [R] of mean zero for each row of paired differences, by random sign flips.

    Exact, up to the number of flips, where the differences are symmetric about zero. The observed signs count as one
    of the flips (Phipson and Smyth 2010), so that p is never zero. With `factors_R` the flipped means are so many times
    as far from zero, as intervals are wider.
    """
    values_RP = np.where(np.isfinite(differences_RP), differences_RP, 0.0)
    sums_RB = np.abs(products(values_RP, design.signs(values_RP.shape[1], resamples, seed)))
    observed_R = np.abs(values_RP.sum(1)) / (1.0 if factors_R is None else factors_R)
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
