"""Softmax selection: one of k samples is drawn with probability softmax(score / beta), the policy of Q-Probe.

Among all n samples the probabilities are a softmax. Among k of them, drawn without replacement, the probability of
sample i is the mean over all subsets S of k samples, those without i counting zero, of e_i / sum_S e, where
e = exp(score / beta). The subsets are too many to enumerate. But 1 / Z is the integral of exp(-t Z) over t > 0, so the
mean is an integral of elementary symmetric polynomials of x_j = exp(-t e_j), which a recursion gives in n k steps.
Under t = exp(u) the integrand is smooth and vanishes on both sides, where the trapezoid rule converges faster than any
power of its step.
"""

import math
from collections.abc import Callable

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, rank_chances, ranking, tie_means, warn_where_short

ERROR = 1e-9  # default error of a probability; the tests compare with the mean over every subset
WIDEST_GAP = 40.0  # between neighbouring log-odds: a wider one changes probabilities by less than exp(-40)
NUMBERS_AT_ONCE = 8192  # in a step of the recursion: they should fit into a processor's cache

Integrand = Callable[[Floats, Floats, Ints], Floats]
"""Of x [n, R], minus its derivative by u [n, R] and the problem of each node [R]: what is summed, [rows, R]."""


def softmax_chances(scores_PN: Floats, mask_PN: Bools, beta: float) -> Floats:
    """Return the probability [P, N] of each sample in selection among all of a problem's graded samples.

    At beta = 0 the best-scored samples share it evenly. Rows of problems without a graded sample are zero.
    """
    masked_PN = np.where(mask_PN, scores_PN, -np.inf)
    best_P1 = masked_PN.max(axis=1, initial=-np.inf, keepdims=True)
    gaps_PN = masked_PN - np.where(np.isfinite(best_P1), best_P1, 0.0)
    odds_PN = (gaps_PN == 0).astype(np.float64) if beta == 0 else np.exp(gaps_PN / beta)
    return np.asarray(odds_PN / np.where(np.isfinite(best_P1), odds_PN.sum(axis=1, keepdims=True), 1.0))


def softmax_selection(scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools, beta: float) -> Floats:
    """Return the expected reward [P] of softmax selection among all graded samples; NaN for problems without any."""
    chances_PN = softmax_chances(scores_PN, mask_PN, beta)
    return np.where(mask_PN.any(1), (chances_PN * rewards_PN).sum(1), np.nan)


def chances_of_k(scores_PN: Floats, mask_PN: Bools, k: int, beta: float, error: float = ERROR) -> Floats:
    """Return the probability [P, N] of each sample in selection among k drawn without replacement, within `error`.

    Exact up to rounding at beta = 0, at k = 1 and where a problem has k samples. NaN, with a warning, where it has
    fewer.
    """
    counts_P = mask_PN.sum(1)
    warn_where_short(counts_P, k)
    order_PN, ties_PN = ranking(scores_PN, mask_PN)
    ranked_PN = np.take_along_axis(np.where(mask_PN, scores_PN, 0.0), order_PN, axis=1)
    chances_PN = np.zeros(scores_PN.shape)
    for n in np.unique(counts_P):
        here_P = counts_P == n
        chances_PN[here_P, :n] = _ranked_chances(ranked_PN[here_P, :n], k, beta, error)
    chances_PN = tie_means(chances_PN, ties_PN)
    placed_PN = np.zeros(scores_PN.shape)
    np.put_along_axis(placed_PN, order_PN, chances_PN, axis=1)
    return np.where((counts_P >= k)[:, None], placed_PN, np.nan)


def softmax_of_k(scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools, k: int, beta: float) -> Floats:
    """Return the expected reward [P] of softmax selection among k samples drawn without replacement, within `ERROR`."""
    counts_P = mask_PN.sum(1)
    if beta == 0 or k == 1:
        return np.asarray((chances_of_k(scores_PN, mask_PN, k, beta) * np.where(mask_PN, rewards_PN, 0.0)).sum(1))
    warn_where_short(counts_P, k)
    order_PN, _ = ranking(scores_PN, mask_PN)
    ranked_PN, earned_PN = (np.take_along_axis(values_PN, order_PN, axis=1) for values_PN in (scores_PN, rewards_PN))
    values_P = np.full(len(counts_P), np.nan)
    for n in np.unique(counts_P[counts_P >= k]):
        here_P = counts_P == n
        values_P[here_P] = _expected_rewards(ranked_PN[here_P, :n], earned_PN[here_P, :n], k, beta)
    return values_P


def _expected_rewards(ranked_Pn: Floats, rewards_Pn: Floats, k: int, beta: float) -> Floats:
    """The expected reward [P] among k of n samples in descending order of score, none masked.

    The rewards are summed within the recursion: that is faster than the chances of all samples.
    """
    if k == ranked_Pn.shape[1]:
        return np.asarray((_ranked_chances(ranked_Pn, k, beta, ERROR) * rewards_Pn).sum(1))
    values_P = rewards_Pn[:, 0].copy()  # where all rewards are equal, selection makes no difference
    mixed_P = np.flatnonzero((rewards_Pn != rewards_Pn[:, :1]).any(1))
    if not len(mixed_P):
        return values_P
    rewards_Pn = rewards_Pn[mixed_P]

    def earned(x_nR: Floats, falls_nR: Floats, problems_R: Ints) -> Floats:
        return _rewarded(x_nR, falls_nR * rewards_Pn[problems_R].T, k)[None]

    values_P[mixed_P] = _integrated(log_odds(ranked_Pn[mixed_P], beta), k, ERROR, 1, earned)[:, 0]
    return values_P


def _ranked_chances(ranked_Pn: Floats, k: int, beta: float, error: float) -> Floats:
    """The probabilities [P, n] of samples in descending order of score, none masked."""
    problems, n = ranked_Pn.shape
    if k > n:
        return np.full((problems, n), np.nan)
    if k == 1 or beta == 0:
        return np.broadcast_to(rank_chances(n, [k])[:, 0], (problems, n))
    if k == n:
        return softmax_chances(ranked_Pn, np.ones((problems, n), dtype=bool), beta)

    def each(x_nR: Floats, falls_nR: Floats, problems_R: Ints) -> Floats:
        return falls_nR * _slopes(x_nR, k)

    return _integrated(log_odds(ranked_Pn, beta), k, error, n, each)


def log_odds(ranked_Pn: Floats, beta: float) -> Floats:
    """Return the logarithms of the softmax's odds [P, n] against the best sample, from scores in descending order."""
    falls_Pn = np.diff(ranked_Pn / beta, axis=1, prepend=ranked_Pn[:, :1] / beta)
    return np.asarray(np.cumsum(np.maximum(falls_Pn, -WIDEST_GAP), axis=1))  # 0 for the best, less for the others


def _integrated(log_odds_Pn: Floats, k: int, error: float, rows: int, integrand: Integrand) -> Floats:
    """The trapezoid rule over u [P, rows], with the nodes R of all problems in one array, computed piece by piece."""
    nodes_R, problems_R, step = nodes(log_odds_Pn, error)
    sums = np.zeros((len(log_odds_Pn), rows))
    for start in range(0, len(nodes_R), at_once := max(1, NUMBERS_AT_ONCE // (k + 1))):
        nodes_r, problems_r = nodes_R[start : start + at_once], problems_R[start : start + at_once]
        # Beyond log-odds of 6 a sample's x is below 1e-175; clipping there avoids infinity.
        exponents_nr = np.exp(np.minimum(log_odds_Pn[problems_r].T + nodes_r, 6.0))
        x_nr = np.exp(-exponents_nr)
        terms = step * integrand(x_nr, exponents_nr * x_nr, problems_r)
        first_r = np.flatnonzero(np.diff(problems_r, prepend=-1))
        sums[problems_r[first_r]] += np.add.reduceat(terms, first_r, axis=1).T
    return sums


def nodes(log_odds_Pn: Floats, error: float) -> tuple[Floats, Ints, float]:
    """Return the nodes u [R] of the trapezoid rule, the problem of each [R], and the step.

    The error of the rule is of the order of exp(-pi^2 / step). Left of the best log-odds the integrand falls as exp(u),
    right of the worst as exp(-exp(u)): each cut and the step take a small part of the error.
    """
    digits = -math.log(error / 40)
    step, left, right = math.pi**2 / digits, -digits, math.log(digits) + 0.75
    runs = [np.arange(left, right - worst, step) for worst in log_odds_Pn[:, -1]]
    return np.concatenate(runs), np.repeat(np.arange(len(runs)), [len(run) for run in runs]), step


def _rewarded(x_nR: Floats, earned_nR: Floats, k: int) -> Floats:
    """The sum [R], over all samples, of the derivative that `_slopes` has, times what the sample earned.

    Each of the n numbers is taken with the probability k / n, so that all sums stay within [0, 1]; their part with just
    k numbers, and how it changes with what was earned, gives the mean over the subsets of k.
    """
    n, rows = x_nR.shape
    share, skipped = k / n, 1 - k / n
    sums_jR, gains_jR, term_jR = np.zeros((k + 1, rows)), np.zeros((k + 1, rows)), np.empty((k, rows))
    sums_jR[0] = 1.0
    for taken_R, gain_R in zip(share * x_nR, share * earned_nR, strict=True):
        np.multiply(gains_jR[:-1], taken_R, out=term_jR)
        gains_jR *= skipped
        gains_jR[1:] += term_jR
        np.multiply(sums_jR[:-1], gain_R, out=term_jR)
        gains_jR[1:] += term_jR
        np.multiply(sums_jR[:-1], taken_R, out=term_jR)
        sums_jR *= skipped
        sums_jR[1:] += term_jR
    log_subsets = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return np.asarray(gains_jR[k] / math.exp(log_subsets + k * math.log(share) + (n - k) * math.log(skipped)))


def _slopes(x_nR: Floats, k: int) -> Floats:
    """The derivative [n, R], by each of n numbers, of the mean of the product over all subsets of k of them.

    The mean over subsets of j of the first m numbers is mean_j <- (1 - j / m) mean_j + (j / m) x_m mean_(j - 1), and
    all stay within [0, 1]; the derivatives follow from reversing the recursion.
    """
    n, rows = x_nR.shape
    means_mjR = np.zeros((n + 1, k + 1, rows))
    means_mjR[:, 0] = 1.0
    shares_mj1 = (np.arange(1, k + 1) / np.arange(1, n + 1)[:, None])[:, :, None]
    for m in range(n):
        grown_jR = means_mjR[m, :-1] * x_nR[m]
        grown_jR -= means_mjR[m, 1:]
        grown_jR *= shares_mj1[m]
        np.add(grown_jR, means_mjR[m, 1:], out=means_mjR[m + 1, 1:])
    slopes_nR = np.empty_like(x_nR)
    back_jR = np.zeros((k + 1, rows))
    back_jR[k] = 1.0
    for m in reversed(range(n)):
        shared_jR = back_jR[1:] * shares_mj1[m]
        slopes_nR[m] = np.einsum("jr,jr->r", shared_jR, means_mjR[m, :-1])
        back_jR[1:] -= shared_jR
        back_jR[:-1] += shared_jR * x_nR[m]
    return slopes_nR
