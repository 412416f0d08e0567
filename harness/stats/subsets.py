"""Means over subsets of k samples, for choices that depend on all k and that no recursion covers: some drawn subsets.

Where there are no more subsets than would be drawn, each is taken once and the mean is exact. Else the error of one
problem's mean is at most 0.5 / sqrt(draws), .016 for the tables, and that of a mean over 100 problems a tenth of it.
"""

import math
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, warn_where_short

DRAWS, CURVE_DRAWS = 1000, 100
"""Subsets for a figure in a table, and for a point of a curve."""

EVERY_K, STEP = 10, math.sqrt(2)
"""A curve has its own points up to the first number of samples, and behind it a point at every step of this factor."""

Choose = Callable[[int, Ints, Ints], Floats]
"""Of a problem's number, the places [n] of its graded samples, and S subsets of k of these as numbers [S, k] below n:
the chances [S, k] of each member."""


@lru_cache(maxsize=16)
def subsets(n: int, k: int, draws: int) -> Ints:
    """Return the members [S, k] of subsets of k of n: of all, or of so many that are drawn, the same each time."""
    if math.comb(n, k) <= draws:
        members_Sk = np.array(list(combinations(range(n), k)), dtype=np.int64)
    else:
        members_Sk = np.random.default_rng([n, k]).random((draws, n)).argpartition(k - 1, axis=1)[:, :k].copy()
    members_Sk.flags.writeable = False
    return members_Sk


def mean_over_subsets(
    choose: Choose, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int | None], draws: int = DRAWS
) -> Floats:
    """Return the expected reward [P, K] of a choice among k samples, or among all of a problem where k is None.

    NaN, with a warning, where a problem has fewer than k graded samples, or none.
    """
    counts_P = mask_PN.sum(1)
    warn_where_short(counts_P, max((k for k in ks if k is not None), default=0))
    values_PK = np.full((len(mask_PN), len(ks)), np.nan)
    graded = [np.flatnonzero(mask_N) for mask_N in mask_PN]
    for place, k in enumerate(ks):  # problems inside, as most have as many samples, and so the same subsets
        for problem, graded_n in enumerate(graded):
            n, rewards_n = len(graded_n), rewards_PN[problem, graded_n]
            if n < (k or 1):
                continue
            if (rewards_n == rewards_n[0]).all():  # every choice is equally good
                values_PK[problem, place] = rewards_n[0]
                continue
            members_Sk = subsets(n, k or n, draws)
            chances_Sk = choose(problem, graded_n, members_Sk)
            values_PK[problem, place] = (chances_Sk * rewards_n[members_Sk]).sum() / len(members_Sk)
    return values_PK


def curve_over_subsets(choose: Choose, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
    """Return the expected reward [P, K] over ascending numbers of samples, between a few of them by interpolation.

    Straight in the logarithm of k, in which such curves bend little between points that are near.
    """
    counts_P = mask_PN.sum(1)
    own = few_ks(ks, set(counts_P.tolist()))
    values_PK = mean_over_subsets(choose, rewards_PN, mask_PN, own, CURVE_DRAWS)
    logs_K, own_logs_K = np.log(ks), np.log(own)
    curves_PK = np.full((len(counts_P), len(ks)), np.nan)
    for curve_K, values_K, count in zip(curves_PK, values_PK, counts_P, strict=True):
        if (finite_K := np.isfinite(values_K)).any():
            drawn_K = np.interp(logs_K, own_logs_K[finite_K], values_K[finite_K])
            curve_K[:] = np.where(np.asarray(ks) <= count, drawn_K, np.nan)
    return curves_PK


def few_ks(ks: Sequence[int], always: Collection[int]) -> list[int]:
    """Return the numbers that get their own point: the small ones, the last, those of `always`, and few between."""
    few: list[int] = []
    for k in ks:
        if not few or k <= EVERY_K or k >= STEP * few[-1] or k in always or k == ks[-1]:
            few.append(k)
    return few


def best_chances(scores_Sk: Floats) -> Floats:
    """Return the chances [S, k] of the best-scored members of each subset; scores that rounding tells apart share."""
    best_S1 = scores_Sk.max(axis=1, keepdims=True)
    ties_Sk = scores_Sk >= best_S1 - 1e-9 * np.maximum(np.abs(best_S1), 1.0)
    return np.asarray(ties_Sk / ties_Sk.sum(axis=1, keepdims=True))


def central(kernel_nn: Floats, members_Sk: Ints) -> Floats:
    """Return the chances [S, k] of the member nearest to the mean of its subset, by the products of all vectors.

    The squared distance to the mean of k vectors is K_ii - (2 / k) sum_j K_ij, up to a constant. For vectors of length
    one this is the member with the highest mean cosine.
    """
    is_member_Sn = np.zeros((len(members_Sk), len(kernel_nn)))
    np.put_along_axis(is_member_Sn, members_Sk, 1.0, axis=1)
    sums_Sk = np.take_along_axis(is_member_Sn @ kernel_nn.astype(np.float64), members_Sk, axis=1)
    return best_chances(2 * sums_Sk / members_Sk.shape[1] - np.diag(kernel_nn)[members_Sk])


def typical(numbers_n: Floats, members_Sk: Ints) -> Floats:
    """Return the chances [S, k] of the member whose number is nearest to the median of its subset."""
    numbers_Sk = numbers_n[members_Sk]
    return best_chances(-np.abs(numbers_Sk - np.median(numbers_Sk, axis=1, keepdims=True)))


def weighted_vote(groups_n: Ints, weights_n: Floats, members_Sk: Ints) -> Floats:
    """Return the chances [S, k] of a weighted vote: in the group of the largest sum, each member as its weight.

    Groups of equal sums share the choice evenly. Weights are above zero.
    """
    names_G, places_n = np.unique(groups_n, return_inverse=True)
    weights_Sk, size = weights_n[members_Sk], (len(members_Sk), len(names_G))
    cells_Sk = np.arange(len(members_Sk))[:, None] * len(names_G) + places_n[members_Sk]  # a cell per subset and group
    sums_SG = np.bincount(cells_Sk.ravel(), weights_Sk.ravel(), math.prod(size)).reshape(size)
    chances_SG = best_chances(sums_SG / sums_SG.max(axis=1, keepdims=True))
    return np.asarray(weights_Sk * (chances_SG / np.where(sums_SG > 0, sums_SG, 1.0)).ravel()[cells_Sk])
