"""Means over subsets of k samples, for choices that depend on all k and that no recursion covers: some drawn subsets.

Where there are no more subsets than would be drawn, each is taken once and the mean is exact. Else the error of one
problem's mean is at most 0.5 / sqrt(draws), .016 for the tables, and that of a mean over 100 problems a tenth of it.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, warn_where_short

DRAWS, CURVE_DRAWS = 1000, 100
"""Subsets for a figure in a table, and for a point of a curve."""

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
    for problem, mask_N in enumerate(mask_PN):
        graded_n = np.flatnonzero(mask_N)
        n, rewards_n = len(graded_n), rewards_PN[problem, graded_n]
        for place, k in enumerate(ks):
            if n < (k or 1):
                continue
            if (rewards_n == rewards_n[0]).all():  # every choice is equally good
                values_PK[problem, place] = rewards_n[0]
                continue
            chances_Sn = choose(problem, graded_n, subsets(n, k or n, draws))
            values_PK[problem, place] = (chances_Sn @ rewards_n).mean()
    return values_PK


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
