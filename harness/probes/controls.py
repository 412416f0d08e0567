"""Controls: scores without any information about correctness; a report that shows a gain for them is wrong."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harness.probes.moments import Moments
from harness.probes.samples import Samples

DRAWS = 20
"""The number of draws of each control: with five, shuffled labels once gained by chance (one demo seed of three)."""

DRAWS_WITHIN = 10
"""The number of draws of the control that is permuted within problems: it may gain, so that a few are enough."""


class Permutation(NamedTuple):
    """A random permutation of the rewards, among all samples or within each problem."""

    seed: int
    within: bool = False


def permuted_rewards(samples: Samples, permutation: Permutation | None) -> Tensor:
    """Return the rewards [P, N], as they are or permuted."""
    if permutation is None:
        return samples.rewards_PN
    return samples.shuffled(permutation.seed, within=permutation.within).rewards_PN


def draws_each(objectives: int, draws: int) -> int:
    """Return the draws for all objectives: each has as many, two at least, and together there are no fewer."""
    return objectives * max(2, -(-draws // max(objectives, 1)))


def permuted_trials(objectives: Sequence[str], count: int, *, within: bool = False) -> list[tuple[str, Permutation]]:
    """Return the objective of each of `count` controls on shuffled labels, and its permutation.

    The objectives take turns: a control of one alone would say nothing of how the others select.
    """
    return [(objectives[seed % len(objectives)], Permutation(seed, within)) for seed in range(count)]


def random_directions(samples: Samples, count: int = DRAWS, *, seed: int = 0) -> Tensor:
    """Return the scores [C, P, N] by C untrained linear probes: random directions of the standardised vectors, float64.

    The views take turns. Standardising needs no reward, so nothing is learnt. Entries outside the mask are 0.
    """
    generator = torch.Generator().manual_seed(seed)
    everything_1P = torch.ones(1, len(samples.problem_ids), dtype=torch.bool, device=samples.mask_PN.device)
    scores_CPN = torch.zeros(count, *samples.mask_PN.shape, dtype=torch.float64)
    for turn, view in enumerate(samples.views[:count]):
        mean_1D, scale_1D = Moments.of(samples, view).standard(everything_1P)
        turns = range(turn, count, len(samples.views))
        directions_cD = torch.randn(len(turns), mean_1D.shape[1], generator=generator, dtype=torch.float64)
        directions_cD = directions_cD.to(mean_1D) / (mean_1D.shape[1] ** 0.5 * scale_1D)
        for problem, vectors_ND in enumerate(samples.vectors[view]):
            scores_cN = directions_cD @ (vectors_ND.double() - mean_1D).T
            scores_CPN[list(turns), problem] = scores_cN.cpu()
    return scores_CPN.masked_fill(~samples.mask_PN.cpu(), 0.0)
