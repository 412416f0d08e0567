"""The order of samples within a problem by their scores, and the part of length in it."""

import numpy as np

from harness.stats.estimators import Bools, Floats, ranking, tie_means


def within_problem_auc(scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools) -> Floats:
    """Return the probability [P] that a passing sample of the problem outscores a failing one, ties counting half.

    The Mann-Whitney statistic of each problem; NaN where all samples pass or all fail. It does not depend on the
    difficulty of problems: a score that is a function of difficulty alone has one half.
    """
    order_PN, ties_PN = ranking(scores_PN, mask_PN)
    ranks_PN = np.broadcast_to(np.arange(scores_PN.shape[1], dtype=np.float64), scores_PN.shape)
    ranks_PN = tie_means(ranks_PN, ties_PN)
    passed_PN = np.take_along_axis((rewards_PN > 0) & mask_PN, order_PN, axis=1)
    passes_P = passed_PN.sum(1)
    failures_P = mask_PN.sum(1) - passes_P
    outscored_P = (ranks_PN * passed_PN).sum(1) - passes_P * (passes_P - 1) / 2  # pairs with the failing sample first
    pairs_P = passes_P * failures_P
    return np.where(pairs_P > 0, 1 - outscored_P / np.clip(pairs_P, 1, None), np.nan)


def without_length(scores_PN: Floats, lengths_PN: Floats, mask_PN: Bools) -> Floats:
    """Return scores [P, N] minus their linear regression on log length, 0 outside the mask.

    Scores and log lengths are centred within each problem, and one slope is fitted to all problems together: a slope
    per problem would also fit chance correlations of its few samples with length.
    """
    centred_PN = _centred(scores_PN, mask_PN)
    log_lengths_PN = _centred(np.log(np.clip(lengths_PN, 1, None)), mask_PN)
    variance = (log_lengths_PN**2).sum()
    slope = (centred_PN * log_lengths_PN).sum() / variance if variance > 0 else 0.0
    return np.asarray(centred_PN - slope * log_lengths_PN)


def _centred(values_PN: Floats, mask_PN: Bools) -> Floats:
    values_PN = np.where(mask_PN, values_PN, 0.0)
    means_P1 = values_PN.sum(1, keepdims=True) / np.clip(mask_PN.sum(1, keepdims=True), 1, None)
    return np.where(mask_PN, values_PN - means_P1, 0.0)
