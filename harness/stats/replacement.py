"""Softmax selection among k samples drawn with replacement from the stored ones, which stand for the base policy.

Without replacement, k = n draws are all n samples, so that the curve over k would reach its limit at k = n by
construction; with replacement it approaches the softmax over the n samples as k grows. Again 1 / Z is the integral of
exp(-t Z) over t > 0, and the expectation over k independent draws is a power: with e = exp(score / beta), the
probability of sample i is (k / n) times the integral of e_i exp(-t e_i) (mean_j exp(-t e_j))^(k - 1).
"""

import numpy as np

from harness.stats.estimators import Bools, Floats, ranking, tie_means
from harness.stats.selection import ERROR, NUMBERS_AT_ONCE, log_odds, nodes


def chances_with_replacement(scores_PN: Floats, mask_PN: Bools, k: int, beta: float, error: float = ERROR) -> Floats:
    """Return the probability [P, N] of each sample in selection among k draws from a problem's n, within `error`.

    Exact up to rounding at beta = 0, where the best of the draws is selected, and at k = 1. Zero for problems without a
    graded sample.
    """
    order_PN, ties_PN = ranking(scores_PN, mask_PN)
    ranked_PN = np.take_along_axis(np.where(mask_PN, scores_PN, 0.0), order_PN, axis=1)
    counts_P = mask_PN.sum(1)
    chances_PN = np.zeros(scores_PN.shape)
    for n in np.unique(counts_P[counts_P > 0]):
        here_P = counts_P == n
        chances_PN[here_P, :n] = _ranked_chances(ranked_PN[here_P, :n], k, beta, error)
    placed_PN = np.zeros(scores_PN.shape)
    np.put_along_axis(placed_PN, order_PN, tie_means(chances_PN, ties_PN), axis=1)
    return placed_PN


def _ranked_chances(ranked_Pn: Floats, k: int, beta: float, error: float) -> Floats:
    """The probabilities [P, n] of samples in descending order of score, none masked; those of equal scores in sum."""
    problems, n = ranked_Pn.shape
    if k == 1:
        return np.full((problems, n), 1 / n)
    if beta == 0:  # the best draw is at this rank or worse, less that it is worse
        at_least_n = (np.arange(n, -1, -1) / n) ** k
        return np.broadcast_to(at_least_n[:-1] - at_least_n[1:], (problems, n))
    return _integrated(log_odds(ranked_Pn, beta), k, error / k)


def _integrated(log_odds_Pn: Floats, k: int, error: float) -> Floats:
    """The trapezoid rule over u = log t, with the nodes R of all problems in one array, computed piece by piece."""
    nodes_R, problems_R, step = nodes(log_odds_Pn, error)
    n, chances_Pn = log_odds_Pn.shape[1], np.zeros_like(log_odds_Pn)
    for start in range(0, len(nodes_R), at_once := max(1, NUMBERS_AT_ONCE // n)):
        nodes_r, problems_r = nodes_R[start : start + at_once], problems_R[start : start + at_once]
        exponents_rn = np.exp(np.minimum(log_odds_Pn[problems_r] + nodes_r[:, None], 6.0))
        x_rn = np.exp(-exponents_rn)
        others_r1 = x_rn.mean(axis=1, keepdims=True) ** (k - 1)
        np.add.at(chances_Pn, problems_r, step * k / n * exponents_rn * x_rn * others_r1)
    return chances_Pn
