"""Softmax selection: of k samples, one is drawn with probability softmax(score / beta), the policy of Q-Probe.

With all n samples standing for choice the chances are a softmax. With k of them drawn first, the chance of sample i is
the mean over all subsets S of k samples, those without i counting zero, of e_i / sum_S e, where e = exp(score / beta).
There are too many subsets to list, and no need to: 1 / Z is the integral of exp(-t Z) over t > 0, so the mean is an
integral of elementary symmetric polynomials of x_j = exp(-t e_j), which a recursion gives in n k steps. Under
t = exp(u) the integrand is smooth and dies off on both sides: there the trapezoid rule converges faster than any power
of its step.
"""

import numpy as np
import torch
from torch import Tensor

from harness.numbers.estimates import Bools, Floats, place_chances, ranking, tie_means, warn_where_short

STEP = 0.4  # of the trapezoid rule in u, whose error is of the order of exp(-pi^2 / STEP), 2e-11
LEFT, RIGHT = 24.0, 4.0  # how far beyond the extreme log-odds u runs: what is cut off is below 4e-11
WIDEST_GAP = 40.0  # between neighbouring log-odds: a wider one changes chances by less than exp(-40)
ERROR = 1e-9  # the stated error of a chance; the tests hold it against every subset
NUMBERS_AT_ONCE = 4_000_000  # how many the recursion keeps for its derivative: bounds the memory to some 100 MB


def softmax_chances(scores_PN: Floats, mask_PN: Bools, beta: float) -> Floats:
    """The chance [P, N] of each sample when all of a problem's graded samples stand for choice.

    beta = 0 shares the choice evenly among the best-scored. Rows of problems without a graded sample are zero.
    """
    masked_PN = np.where(mask_PN, scores_PN, -np.inf)
    best_P1 = masked_PN.max(axis=1, initial=-np.inf, keepdims=True)
    gaps_PN = masked_PN - np.where(np.isfinite(best_P1), best_P1, 0.0)
    odds_PN = (gaps_PN == 0).astype(np.float64) if beta == 0 else np.exp(gaps_PN / beta)
    return np.asarray(odds_PN / np.where(np.isfinite(best_P1), odds_PN.sum(axis=1, keepdims=True), 1.0))


def softmax_selection(scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools, beta: float) -> Floats:
    """The expected reward [P] of softmax selection among all graded samples; NaN where there is none."""
    chances_PN = softmax_chances(scores_PN, mask_PN, beta)
    return np.where(mask_PN.any(1), (chances_PN * rewards_PN).sum(1), np.nan)


def chances_of_k(scores_PN: Floats, mask_PN: Bools, k: int, beta: float) -> Floats:
    """The chance [P, N] of each sample when k drawn without replacement stand for choice, to within `ERROR`.

    Exact but for rounding at beta = 0, at k = 1 and where a problem has just k samples. NaN, with a warning, where it
    has fewer.
    """
    counts_P = mask_PN.sum(1)
    warn_where_short(counts_P, k)
    order_PN, ties_PN = ranking(scores_PN, mask_PN)
    ranked_PN = np.take_along_axis(np.where(mask_PN, scores_PN, 0.0), order_PN, axis=1)
    chances_PN = np.zeros(scores_PN.shape)
    for n in np.unique(counts_P):
        here_P = counts_P == n
        chances_PN[here_P, :n] = _ranked_chances(ranked_PN[here_P, :n], k, beta)
    chances_PN = tie_means(chances_PN, ties_PN)
    placed_PN = np.zeros(scores_PN.shape)
    np.put_along_axis(placed_PN, order_PN, chances_PN, axis=1)
    return np.where((counts_P >= k)[:, None], placed_PN, np.nan)


def softmax_of_k(scores_PN: Floats, rewards_PN: Floats, mask_PN: Bools, k: int, beta: float) -> Floats:
    """The expected reward [P] of softmax selection among k samples drawn without replacement, to within `ERROR`."""
    return np.asarray((chances_of_k(scores_PN, mask_PN, k, beta) * np.where(mask_PN, rewards_PN, 0.0)).sum(1))


def _ranked_chances(ranked_Pn: Floats, k: int, beta: float) -> Floats:
    """Chances [P, n] of samples in falling order of score, none masked."""
    problems, n = ranked_Pn.shape
    if k > n:
        return np.full((problems, n), np.nan)
    if k == 1 or beta == 0:
        return np.broadcast_to(place_chances(n, [k])[:, 0], (problems, n))
    if k == n:
        return softmax_chances(ranked_Pn, np.ones((problems, n), dtype=bool), beta)
    falls_Pn = np.diff(ranked_Pn / beta, axis=1, prepend=ranked_Pn[:, :1] / beta)
    log_odds_Pn = np.cumsum(np.maximum(falls_Pn, -WIDEST_GAP), axis=1)  # the best has 0, all others less
    return np.concatenate([_integrated(torch.from_numpy(row_n), k) for row_n in log_odds_Pn[:, None]])


def _integrated(log_odds_1n: Tensor, k: int) -> Floats:
    """The trapezoid rule over u for one problem [1, n], a piece of the nodes at a time."""
    nodes = torch.arange(-LEFT, RIGHT - float(log_odds_1n.min()), STEP, dtype=torch.float64)
    at_once = max(1, NUMBERS_AT_ONCE // (log_odds_1n.shape[1] * (k + 1)))
    chances_1n = torch.zeros_like(log_odds_1n)
    for start in range(0, len(nodes), at_once):
        # Beyond log-odds of 6 a sample's x is below 1e-175; clipping there keeps infinity out.
        exponents_Tn = (nodes[start : start + at_once, None] + log_odds_1n).clamp(max=6.0).exp()
        x_Tn = (-exponents_Tn).exp().requires_grad_()
        (slopes_Tn,) = torch.autograd.grad(_mean_product(x_Tn, k).sum(), x_Tn)
        chances_1n += STEP * (exponents_Tn * x_Tn.detach() * slopes_Tn).sum(0)
    return chances_1n.numpy()


def _mean_product(x_Tn: Tensor, k: int) -> Tensor:
    """The mean, over all subsets of k of the n numbers, of their product: [T, n] -> [T].

    Adding the m-th number: mean_j <- (1 - j / m) mean_j + (j / m) x_m mean_(j - 1). Everything stays within [0, 1].
    """
    means_Tk = torch.zeros(len(x_Tn), k + 1, dtype=x_Tn.dtype)
    means_Tk[:, 0] = 1.0
    for m, x_T in enumerate(x_Tn.T, start=1):
        share_k = torch.arange(1, k + 1, dtype=x_Tn.dtype) / m
        grown_Tk = (1 - share_k) * means_Tk[:, 1:] + share_k * x_T[:, None] * means_Tk[:, :-1]
        means_Tk = torch.cat([means_Tk[:, :1], grown_Tk], dim=1)
    return means_Tk[:, k]
