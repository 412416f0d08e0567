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

Choose = Callable[[int, Ints, Bools], Floats]
"""Of a problem's number, the places [n] of its graded samples, and S subsets of them as members [S, n]: the chances
[S, n] of each member."""


@lru_cache(maxsize=16)
def subsets(n: int, k: int, draws: int) -> Bools:
    """Return subsets of k of n as their members [S, n]: every one, or so many that are drawn, the same each time."""
    if math.comb(n, k) <= draws:
        chosen_Sk = np.array(list(combinations(range(n), k)), dtype=np.int64)
    else:
        chosen_Sk = np.random.default_rng([n, k]).random((draws, n)).argpartition(k - 1, axis=1)[:, :k]
    members_Sn = np.zeros((len(chosen_Sk), n), dtype=bool)
    np.put_along_axis(members_Sn, chosen_Sk, True, axis=1)
    members_Sn.flags.writeable = False
    return members_Sn


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
            chances_Sn = choose(problem, graded_n, subsets(n, k or n, draws))
            values_PK[problem, place] = chances_Sn.mean(0) @ rewards_n
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


def best_chances(scores_Sn: Floats, members_Sn: Bools) -> Floats:
    """Return the chances [S, n] of the best-scored members of each subset; scores that rounding tells apart share."""
    masked_Sn = np.where(members_Sn, scores_Sn, -np.inf)
    best_S1 = masked_Sn.max(axis=1, keepdims=True)
    ties_Sn = masked_Sn >= best_S1 - 1e-9 * np.maximum(np.abs(best_S1), 1.0)
    return np.asarray(ties_Sn / ties_Sn.sum(axis=1, keepdims=True))


def central(kernel_nn: Floats, members_Sn: Bools) -> Floats:
    """Return the chances [S, n] of the member nearest to the mean of its subset, by the products of all vectors.

    The squared distance to the mean of k vectors is K_ii - (2 / k) sum_j K_ij, up to a constant. For vectors of length
    one this is the member with the highest mean cosine.
    """
    sums_Sn = members_Sn.astype(np.float64) @ kernel_nn.astype(np.float64)
    scores_Sn = 2 * sums_Sn / members_Sn.sum(1, keepdims=True) - np.diag(kernel_nn)
    return best_chances(scores_Sn, members_Sn)


def typical(numbers_n: Floats, members_Sn: Bools) -> Floats:
    """Return the chances [S, n] of the member whose number is nearest to the median of its subset."""
    k = int(members_Sn[0].sum())
    sorted_Sn = np.sort(np.where(members_Sn, numbers_n, np.inf), axis=1)
    medians_S1 = (sorted_Sn[:, (k - 1) // 2] + sorted_Sn[:, k // 2])[:, None] / 2
    return best_chances(-np.abs(numbers_n - medians_S1), members_Sn)


def weighted_vote(groups_n: Ints, weights_n: Floats, members_Sn: Bools) -> Floats:
    """Return the chances [S, n] of a weighted vote: in the group of the largest sum, each member as its weight.

    Groups of equal sums share the choice evenly.
    """
    _, places_n = np.unique(groups_n, return_inverse=True)
    in_group_nG = (places_n[:, None] == np.arange(places_n.max() + 1)).astype(np.float64)
    weights_Sn = members_Sn * weights_n
    sums_SG = weights_Sn @ in_group_nG
    chances_SG = best_chances(sums_SG / sums_SG.max(axis=1, keepdims=True), sums_SG > 0)
    return np.asarray(weights_Sn * (chances_SG / np.where(sums_SG > 0, sums_SG, 1.0))[:, places_n])
