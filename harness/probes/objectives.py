"""The training objectives: each one small function of scores, rewards and a mask.

Shapes: scores and mask are [..., P, N] for any number of leading dimensions (the probes trained together), rewards
[P, N]; the loss is [...], one number a probe. Entries outside the mask take no part. An objective uses no randomness
and keeps nothing.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class Context:
    """What an objective may need beside the batch. Both shapes broadcast against the scores: [..., 1, 1] or scalar."""

    beta: Tensor | float  # temperature of the probe policy: rho = softmax over a problem's samples of Q / beta
    mean_reward: Tensor | float  # mean reward of the training problems


class Objective(Protocol):
    """What a probe is trained to make small."""

    def __call__(self, scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context, /) -> Tensor:
        """The loss [...] of scores [..., P, N]."""
        ...


def mse(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Reward modelling, L_Q of the Q-Probe paper (arXiv 2402.14688): mean (Q - r)^2."""
    return mean((scores_PN - rewards_PN).square(), mask_PN)


def ce(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Classification, L_CE of the Q-Probe paper: mean of -r log sigmoid(Q) - (1 - r) log sigmoid(-Q)."""
    return mean(softplus(scores_PN) - rewards_PN * scores_PN, mask_PN)


def pg(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, context: Context) -> Tensor:
    """Importance-weighted policy gradient, L_PG of the Q-Probe paper: -mean_problems sum_i rho_i (r_i - b).

    rho = softmax(Q / beta) over a problem's samples; the baseline b is the mean reward of the training data.
    """
    gains_PN = policy(scores_PN, mask_PN, context.beta) * (rewards_PN - context.mean_reward)
    return -mean_over_problems(gains_PN.sum(-1), mask_PN.any(-1))


def policy(scores_PN: Tensor, mask_PN: Tensor, beta: Tensor | float) -> Tensor:
    """The probe policy rho = softmax(Q / beta) over each problem's samples; all zero where a problem has none."""
    logits_PN = (scores_PN / beta).masked_fill(~mask_PN, float("-inf"))
    logits_PN = logits_PN.masked_fill(~mask_PN.any(-1, keepdim=True), 0.0)
    return logits_PN.softmax(-1) * mask_PN


def mean(values_PN: Tensor, mask_PN: Tensor) -> Tensor:
    """The mean over the mask: [..., P, N] -> [...].

    A mask with nothing in it gives 0, so that a batch without a member's problems moves that member nowhere.
    """
    return values_PN.where(mask_PN, 0.0).sum((-2, -1)) / mask_PN.sum((-2, -1)).clamp(min=1)


def mean_over_problems(values_P: Tensor, mask_P: Tensor) -> Tensor:
    """The mean over the problems in the mask: [..., P] -> [...]; 0 where there are none."""
    return values_P.where(mask_P, 0.0).sum(-1) / mask_P.sum(-1).clamp(min=1)
