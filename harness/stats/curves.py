"""Curves: expected reward over the number of samples, and over the temperature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.estimators import Bools, Floats, best_of_k
from harness.stats.intervals import finite_mean, percentile_interval, resample, resampled_means
from harness.stats.replacement import chances_with_replacement
from harness.stats.selection import softmax_chances


@dataclass(frozen=True)
class Point:
    """One point of a curve: a mean over problems with its 95 % interval."""

    x: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Tradeoff:
    """Expected reward of softmax selection at one temperature, and its distance from the base policy."""

    beta: float
    k: int | None  # samples to select among; None for the limit of many draws, p0 exp(Q / beta) / Z
    reward: float
    kl: float  # KL(pi || p0) in nats, the mean over problems
    effective: float = math.nan  # effective number of the stored samples: 1 / the mean over problems of sum pi^2


def best_of_k_curve(
    scores_PN: Floats,
    rewards_PN: Floats,
    mask_PN: Bools,
    ks: Sequence[int] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> list[Point]:
    """Return the exact expected reward of best-of-k over k, up to the fewest graded samples of any problem with one."""
    counts_P = mask_PN.sum(1)
    graded_P = counts_P > 0
    fewest = int(counts_P[graded_P].min(initial=mask_PN.shape[1]))
    ks = [k for k in ks or range(1, fewest + 1) if k <= fewest]
    values_KP = best_of_k(scores_PN[graded_P], rewards_PN[graded_P], mask_PN[graded_P], ks).T
    return points(list(map(float, ks)), values_KP, resamples=resamples, seed=seed)


def points(xs: Sequence[float], values_XP: Floats, *, resamples: int = 2000, seed: int = 0) -> list[Point]:
    """Return a curve from the values [X, P] of each problem at each x, with bootstrap intervals over problems."""
    draws_XB = resampled_means(values_XP, resample(values_XP.shape[1], resamples, seed))
    low_X, high_X = percentile_interval(draws_XB)
    means_X = finite_mean(values_XP)
    rows = zip(xs, means_X, low_X, high_X, strict=True)
    return [Point(x, float(value), float(low), float(high)) for x, value, low, high in rows]


def reward_against_kl(
    scores_PN: Floats,
    rewards_PN: Floats,
    mask_PN: Bools,
    betas: Sequence[float],
    ks: Sequence[int] = (),
    *,
    error: float = 1e-6,
) -> list[Tradeoff]:
    """Return reward and distance from the base policy over beta, for each k and in the limit among the stored samples.

    The base policy is uniform over the stored samples, from which k are drawn with replacement; probabilities are exact
    to `error`. Theorem 4.1 of Q-Probe (arXiv 2402.14688): as k grows the policy tends to p0 exp(Q / beta) / Z, which of
    all policies at its distance has the highest expected score.
    """
    graded_P = mask_PN.any(1)
    scores_PN, rewards_PN, mask_PN = scores_PN[graded_P], rewards_PN[graded_P], mask_PN[graded_P]
    curve = []
    for beta in betas:
        policies: dict[int | None, Floats] = {
            k: chances_with_replacement(scores_PN, mask_PN, k, beta, error) for k in ks
        }
        policies[None] = softmax_chances(scores_PN, mask_PN, beta)
        for k, chances_PN in policies.items():
            reward = float(finite_mean((chances_PN * rewards_PN).sum(1)))
            kl = float(finite_mean(kl_from_base(chances_PN, mask_PN)))
            curve.append(Tradeoff(beta, k, reward, kl, 1 / float(np.square(chances_PN).sum(1).mean())))
    return curve


def kl_from_base(chances_PN: Floats, mask_PN: Bools) -> Floats:
    """Return KL(pi || p0) in nats [P], for p0 uniform over a problem's graded samples: the sum of pi log (n pi)."""
    counts_P1 = mask_PN.sum(1, keepdims=True)
    logs_PN = np.log(np.where(chances_PN > 0, chances_PN * counts_P1, 1.0))
    return np.asarray((chances_PN * logs_PN).sum(1))
