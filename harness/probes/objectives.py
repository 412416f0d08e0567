"""The training objectives, each a function of scores, rewards and a mask.

Scores, rewards and mask are [..., P, N] (problems, samples) or broadcast to that, for any number of leading
dimensions: the probes trained together. The loss is [...], one number per probe. Entries outside the mask are ignored,
and problems that carry no information for an objective (without a pair of a pass and a failure, say) are left out of
its mean.

Q is a score, r a reward, and rho_i = softmax_i(Q / beta) over a problem's samples is the probe policy.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

HINGE_MARGIN = 0.1
DPO_ALPHA = 1.0

WITHIN_PROBLEMS = ("pg", "pg-problem", "pg-loo", "pairwise", "hinge", "dpo", "listwise", "copg")
"""The names of the objectives that depend on a problem's scores through their differences alone."""


@dataclass(frozen=True)
class Context:
    """Further inputs of an objective. Both broadcast against the scores: [..., 1, 1], or plain numbers."""

    beta: Tensor | float  # temperature of the probe policy
    mean_reward: Tensor | float  # mean reward of all the training samples


class Objective(Protocol):
    """A function that a probe is trained to minimise."""

    def __call__(self, scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context, /) -> Tensor:
        """Return the loss [...] of scores [..., P, N]."""
        ...


def mse(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Reward modelling, L_Q of Q-Probe (arXiv 2402.14688): mean (Q - r)^2."""
    return mean((scores_PN - rewards_PN).square(), mask_PN)


def ce(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Classification, L_CE of Q-Probe: mean of -r log sigmoid(Q) - (1 - r) log sigmoid(-Q)."""
    return mean(softplus(scores_PN) - rewards_PN * scores_PN, mask_PN)


def pg(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Importance-weighted policy gradient, L_PG of Q-Probe: -mean_problems sum_i rho_i (r_i - b).

    The baseline b is the mean reward of the training data, as in the paper. Since the rho of a problem sum to one, a
    baseline that is the same for all samples of a problem moves the loss and never its gradient.
    """
    return _policy_gradient(scores_PN, rewards_PN - context.mean_reward, mask_PN, context)


def pg_problem(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """`pg` with each problem's own mean reward as the baseline: the loss is minus the gain over pass@1."""
    counts_P1 = mask_PN.sum(-1, keepdim=True).clamp(min=1)
    baseline_P1 = (rewards_PN * mask_PN).sum(-1, keepdim=True) / counts_P1
    return _policy_gradient(scores_PN, rewards_PN - baseline_P1, mask_PN, context)


def pg_loo(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """`pg` with the mean reward of the problem's other samples as the baseline (RLOO, Kool et al. 2019).

    With n samples this is n / (n - 1) times the gradient of `pg`: problems with few samples have a little more weight.
    """
    others_P1 = (mask_PN.sum(-1, keepdim=True) - 1).clamp(min=1)
    total_P1 = (rewards_PN * mask_PN).sum(-1, keepdim=True)
    return _policy_gradient(scores_PN, rewards_PN - (total_P1 - rewards_PN) / others_P1, mask_PN, context)


def pairwise(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Preferences, L_QP of Q-Probe: -log sigmoid(Q_w - Q_l), for the passes w and the failures l of a problem."""
    return _mean_over_pairs(softplus(-_differences(scores_PN)), rewards_PN, mask_PN)


def hinge(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """The hinge form of L_QP in Q-Probe's public code: max(0, 0.1 - (Q_w - Q_l))."""
    return _mean_over_pairs(relu(HINGE_MARGIN - _differences(scores_PN)), rewards_PN, mask_PN)


def dpo(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """The DPO form on the probe policy, of Q-Probe's appendix: -log sigmoid(alpha (rho_w - rho_l)), here alpha = 1."""
    chances_PN = policy(scores_PN, mask_PN, context.beta)
    return _mean_over_pairs(softplus(-DPO_ALPHA * _differences(chances_PN)), rewards_PN, mask_PN)


def listwise(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Listwise softmax (ListNet's top-one form, Cao et al. 2007): -sum_i (r_i / sum_j r_j) log rho_i.

    The mean is over the problems with a pass; in one that all samples pass the scores are drawn together.
    """
    total_P = (rewards_PN * mask_PN).sum(-1)
    share_PN = rewards_PN * mask_PN / total_P.clamp(min=1e-9)[..., None]
    losses_P = -(share_PN * _logits(scores_PN, mask_PN, context.beta).log_softmax(-1).where(mask_PN, 0.0)).sum(-1)
    return mean_over_problems(losses_P, total_P > 0)


def copg(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Contrastive policy gradient (arXiv 2406.19185): the mean over pairs of (R_i - R_j)^2 / 2.

    R = r - beta log(pi / pi_ref) is the regularised reward. For the probe policy log(pi / pi_ref) is Q / beta up to a
    constant of the problem, so that beta cancels: a pair costs ((r_i - r_j) - (Q_i - Q_j))^2 / 2, and the mean over a
    problem's pairs is the variance, within the problem, of r - Q.
    """
    counts_P = mask_PN.sum(-1)
    residuals_PN = (rewards_PN - scores_PN).where(mask_PN, 0.0)
    centre_P1 = residuals_PN.sum(-1, keepdim=True) / counts_P.clamp(min=1)[..., None]
    squares_P = (residuals_PN - centre_P1).where(mask_PN, 0.0).square().sum(-1)
    return mean_over_problems(squares_P / (counts_P - 1).clamp(min=1), counts_P > 1)


def policy(scores_PN: Tensor, mask_PN: Tensor, beta: Tensor | float) -> Tensor:
    """The probe policy rho = softmax(Q / beta) over each problem's samples; all zero where a problem has no samples."""
    return _logits(scores_PN, mask_PN, beta).softmax(-1).where(mask_PN, 0.0)


def mean(values_PN: Tensor, mask_PN: Tensor) -> Tensor:
    """The mean over the mask: [..., P, N] -> [...].

    An empty mask gives 0, so that a minibatch without any of a probe's training problems leaves its loss constant.
    """
    return values_PN.where(mask_PN, 0.0).sum((-2, -1)) / mask_PN.sum((-2, -1)).clamp(min=1)


def mean_over_problems(values_P: Tensor, mask_P: Tensor) -> Tensor:
    """The mean over the problems in the mask: [..., P] -> [...]; 0 for an empty mask."""
    return values_P.where(mask_P, 0.0).sum(-1) / mask_P.sum(-1).clamp(min=1)


def _policy_gradient(scores_PN: Tensor, advantages_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    gains_P = (policy(scores_PN, mask_PN, context.beta) * advantages_PN).sum(-1)
    return -mean_over_problems(gains_P, mask_PN.any(-1))


def _logits(scores_PN: Tensor, mask_PN: Tensor, beta: Tensor | float) -> Tensor:
    """Q / beta, with a number low enough to have no chance where the mask is False (infinity would make NaN)."""
    return (scores_PN / beta).masked_fill(~mask_PN, torch.finfo(scores_PN.dtype).min)


def _differences(values_PN: Tensor) -> Tensor:
    """Every sample's value minus every other's: [..., P, N] -> [..., P, N, N]."""
    return values_PN[..., :, None] - values_PN[..., None, :]


def _mean_over_pairs(losses_PNN: Tensor, rewards_PN: Tensor, mask_PN: Tensor) -> Tensor:
    """Mean over a problem's pairs (pass, failure), then over the problems that have a pair."""
    passed_PN, failed_PN = (rewards_PN > 0) & mask_PN, (rewards_PN == 0) & mask_PN
    counts_P = passed_PN.sum(-1) * failed_PN.sum(-1)
    over_failed_PN = (losses_PNN @ failed_PN.to(losses_PNN)[..., None]).squeeze(-1)  # without a mask of all pairs
    sums_P = (over_failed_PN * passed_PN).sum(-1)
    return mean_over_problems(sums_P / counts_P.clamp(min=1), counts_P > 0)
