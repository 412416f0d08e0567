"""Exact estimators: the expected reward of a selection rule, from the stored samples of each problem.

Every estimate is one number per problem, NaN where the problem has too few graded samples. Arrays are NumPy's,
float64: rewards and scores [P, N] (problems, samples), and the mask [P, N], False for padding and ungraded samples.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import QprobeError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def pass_at_1(rewards_PN: Floats, mask_PN: Bools) -> Floats:
    """Return the mean reward of each problem's graded samples [P], the expected reward of one random sample."""
    counts_P = mask_PN.sum(1)
    return np.where(counts_P > 0, (rewards_PN * mask_PN).sum(1) / np.clip(counts_P, 1, None), np.nan)


def pass_at_k(rewards_PN: Floats, mask_PN: Bools, k: int) -> Floats:
    """Return the unbiased estimate [P] of the probability that one of k samples passes: 1 - C(n - c, k) / C(n, k).

    Chen et al. 2021 (arXiv 2107.03374), with n graded samples of which c pass. NaN, with a warning, where a problem has
    fewer than k graded samples.
    """
    counts_P = mask_PN.sum(1)
    failed_P = counts_P - ((rewards_PN > 0) & mask_PN).sum(1)
    warn_where_short(counts_P, k)
    all_failed_P = np.ones(len(counts_P))
    for i in range(k):  # C(n - c, k) / C(n, k) as a product of k ratios, none of which can overflow
        all_failed_P *= np.clip(failed_P - i, 0, None) / np.clip(counts_P - i, 1, None)
    return np.where(counts_P >= k, 1.0 - all_failed_P, np.nan)


def best_of_k(scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
    """Return the expected reward [P, K] of the best-scored of k samples, for each k of `ks`, over all subsets of k.

    With the n samples in descending order of score, the one at rank i (from 0) is the best of C(n - 1 - i, k - 1) of
    the C(n, k) subsets. Samples with equal scores share the probabilities of their ranks evenly. NaN, with a warning,
    where n < k. Raises QprobeError for rewards outside 0 to 1 and for scores that are not finite.
    """
    refuse_unusable(rewards_PN, mask_PN, {"the selection": scores_PN})
    counts_P = mask_PN.sum(1)
    warn_where_short(counts_P, max(ks))
    order_PN, ties_PN = ranking(scores_PN, mask_PN)
    ranked_PN = tie_means(np.take_along_axis(np.where(mask_PN, rewards_PN, 0.0), order_PN, axis=1), ties_PN)
    values_PK = np.full((len(counts_P), len(ks)), np.nan)
    for n in np.unique(counts_P[counts_P > 0]):
        here_P = counts_P == n
        values_PK[here_P] = ranked_PN[here_P, :n] @ rank_chances(int(n), ks)
    return values_PK


def rank_chances(n: int, ks: Sequence[int]) -> Floats:
    """Return the probability [n, K] that the sample at rank i is the best of k of the n; NaN where k > n.

    C(n - 1 - i, k - 1) / C(n, k), computed rank by rank: k / n at first, then times (n - i - k + 1) / (n - i).
    """
    k_K = np.asarray(ks, dtype=np.float64)
    i_n = np.arange(1, n, dtype=np.float64)[:, None]
    ratios = np.clip(n - i_n - k_K + 1, 0, None) / (n - i_n)
    chances = np.concatenate([k_K[None] / n, ratios]).cumprod(axis=0)
    return np.where(k_K <= n, chances, np.nan)


def ranking(scores_PN: Floats, mask_PN: Bools) -> tuple[Ints, Ints]:
    """Return each problem's samples in descending order of score [P, N], and a number for each run of equal scores.

    Masked samples come last, in separate runs; runs are numbered through all problems [P, N].
    """
    keys_PN = np.where(mask_PN, -scores_PN, np.inf)
    order_PN = keys_PN.argsort(axis=1, kind="stable")
    keys_PN = np.take_along_axis(keys_PN, order_PN, axis=1)
    first_PN = np.ones(keys_PN.shape, dtype=bool)
    first_PN[:, 1:] = keys_PN[:, 1:] != keys_PN[:, :-1]
    return order_PN, first_PN.cumsum().reshape(keys_PN.shape) - 1


def tie_means(ranked_PN: Floats, ties_PN: Ints) -> Floats:
    """Return ranked values, those of equal scores replaced by their mean."""
    sums = np.bincount(ties_PN.ravel(), weights=ranked_PN.ravel())
    return np.asarray((sums / np.bincount(ties_PN.ravel()))[ties_PN])


def refuse_unusable(rewards_PN: Floats, mask_PN: Bools, scores: Mapping[str, Floats]) -> None:
    """Check rewards, and scores [..., P, N].

    Raise QprobeError for a graded sample's reward outside 0 to 1, or a score of it that is not finite."""
    graded_R = rewards_PN[mask_PN]
    if not ((graded_R >= 0) & (graded_R <= 1)).all():
        wrong = graded_R[~((graded_R >= 0) & (graded_R <= 1))][0]
        raise QprobeError(f"A reward is {wrong:g}: give rewards from 0 (fails) to 1 (passes).")
    for name, scores_PN in scores.items():
        if broken := int((~np.isfinite(scores_PN[..., mask_PN])).sum()):
            raise QprobeError(f"{broken} scores of {name} are not finite: leave them out, or score again.")


def warn_where_short(counts_P: Ints, k: int) -> None:
    """Warn where problems have fewer than k graded samples, for which there is no estimate."""
    if short := int((counts_P < k).sum()):
        warnings.warn(f"{short} problems have fewer than {k} graded samples: no number for them", stacklevel=3)
