"""Calibration: the pass rate of samples with similar scores, and its distance from their scores."""

from dataclasses import dataclass

import numpy as np

from harness.stats.estimators import Bools, Floats, ranking, tie_means
from harness.stats.intervals import percentile_interval, products, resample, resampled_means

BINS = 10
CALIBRATED = 0.05
"""The largest expected calibration error at which scores are called probabilities."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Samples with similar scores."""

    samples: int
    score: float  # their mean score
    passed: float  # pass rate
    low: float  # 95 % interval of the pass rate, from resampling problems
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The bins in ascending order of score, and the errors of scores that estimate the probability of a pass."""

    name: str
    bins: tuple[Bin, ...]
    error: float | None  # expected calibration error: mean |score - passed| over samples, by bin
    brier: float | None  # mean (score - reward)^2 over samples

    @property
    def calibrated(self) -> bool:
        """True if the scores may be read as probabilities of a pass."""
        return self.error is not None and self.error <= CALIBRATED

    @property
    def score(self) -> float:
        """The mean score of all samples."""
        return self._mean([part.score for part in self.bins])

    @property
    def passed(self) -> float:
        """The pass rate of all samples."""
        return self._mean([part.passed for part in self.bins])

    def _mean(self, values: list[float]) -> float:
        weighted = sum(value * part.samples for value, part in zip(values, self.bins, strict=True))
        return weighted / max(sum(part.samples for part in self.bins), 1)


@dataclass(frozen=True, slots=True)
class Difficulty:
    """The part of a score that separates problems, not the samples of a problem."""

    name: str
    between: float  # share of the scores' variance that is between problems; NaN with one sample per problem
    correlation: float  # Spearman's, of a problem's mean score with its pass rate
    low: float  # 95 % interval of the correlation, from resampling problems
    high: float


def calibrate(
    name: str,
    scores_PN: Floats,
    rewards_PN: Floats,
    mask_PN: Bools,
    *,
    estimates: bool,
    resamples: int = 2000,
    seed: int = 0,
) -> Calibration:
    """Make ten bins of equally many samples; `estimates` tells that a score estimates the probability of a pass."""
    order_R = np.argsort(scores_PN[mask_PN], kind="stable")
    bin_R = np.empty(len(order_R), dtype=np.int64)
    bin_R[order_R] = np.arange(len(order_R)) * BINS // max(len(order_R), 1)
    counts_BP = resample(len(mask_PN), resamples, seed)
    bins = []
    for number in np.unique(bin_R):
        in_bin_PN = np.zeros_like(mask_PN)
        in_bin_PN[mask_PN] = bin_R == number
        bins.append(_bin(scores_PN, rewards_PN, in_bin_PN, counts_BP))
    gaps = [one.samples * abs(one.score - one.passed) for one in bins]
    error = sum(gaps) / max(len(bin_R), 1) if estimates else None
    brier = float(np.square(scores_PN - rewards_PN)[mask_PN].mean()) if estimates else None
    return Calibration(name, tuple(bins), error, brier)


def _bin(scores_PN: Floats, rewards_PN: Floats, in_bin_PN: Bools, counts_BP: np.ndarray) -> Bin:
    sums_2P = np.stack([(rewards_PN * in_bin_PN).sum(1), in_bin_PN.sum(1)])
    passed_B, samples_B = products(sums_2P, counts_BP)
    with np.errstate(invalid="ignore"):  # a resample without a sample in the bin is left out
        low, high = percentile_interval((passed_B / samples_B)[None])
    pass_rate = float(rewards_PN[in_bin_PN].mean())
    return Bin(int(in_bin_PN.sum()), float(scores_PN[in_bin_PN].mean()), pass_rate, float(low[0]), float(high[0]))


def relate_to_difficulty(
    name: str, scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools, *, resamples: int = 2000, seed: int = 0
) -> Difficulty:
    """Measure how far a score only separates easy problems from hard ones, as the paper found of reward modelling."""
    counts_P = mask_PN.sum(1)
    graded_P = counts_P > 0
    level_P = (scores_PN * mask_PN).sum(1)[graded_P] / counts_P[graded_P]
    rate_P = (rewards_PN * mask_PN).sum(1)[graded_P] / counts_P[graded_P]
    ranks_2P = np.stack([_ranks(level_P), _ranks(rate_P)])
    counts_BP = resample(len(level_P), resamples, seed)
    low, high = percentile_interval(_correlations(ranks_2P, counts_BP)[None])
    whole = _correlations(ranks_2P, np.ones((1, len(level_P)), dtype=np.int64))[0]
    between = _between(scores_PN[graded_P], mask_PN[graded_P])
    return Difficulty(name, between, float(whole), float(low[0]), float(high[0]))


def _between(scores_PN: Floats, mask_PN: Bools) -> float:
    """The intraclass correlation ICC(1) by analysis of variance (Fisher 1925), not below 0.

    The plain share of the variance that lies between the problems' means would be 1 / n for scores of noise.
    """
    counts_P = mask_PN.sum(1)
    problems, samples = len(counts_P), int(counts_P.sum())
    if problems < 2 or samples == problems:
        return float("nan")
    level_P = (scores_PN * mask_PN).sum(1) / counts_P
    between = (counts_P * (level_P - scores_PN[mask_PN].mean()) ** 2).sum() / (problems - 1)
    within = (np.square(scores_PN - level_P[:, None]) * mask_PN).sum() / (samples - problems)
    size = (samples - np.square(counts_P).sum() / samples) / (problems - 1)  # of a problem; its n where all are equal
    variance = max(0.0, float(between - within) / float(size))
    return variance / (variance + float(within)) if variance > 0 else 0.0


def _ranks(values_P: Floats) -> Floats:
    """Ranks in descending order; equal values share the mean of theirs."""
    order_1P, ties_1P = ranking(values_P[None], np.ones((1, len(values_P)), dtype=bool))
    ranks_P = np.empty(len(values_P))
    ranks_P[order_1P[0]] = tie_means(np.arange(len(values_P), dtype=np.float64)[None], ties_1P)[0]
    return ranks_P


def _correlations(ranks_2P: Floats, counts_BP: np.ndarray) -> Floats:
    """Pearson's correlation of the two rows over every resample [B]; NaN where one of them does not vary."""
    x_P, y_P = ranks_2P
    x_B, y_B, xx_B, yy_B, xy_B = resampled_means(np.stack([x_P, y_P, x_P**2, y_P**2, x_P * y_P]), counts_BP)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_B = np.sqrt(np.clip(xx_B - x_B**2, 0, None) * np.clip(yy_B - y_B**2, 0, None))
        return np.asarray(np.where(spread_B > 0, (xy_B - x_B * y_B) / spread_B, np.nan))
