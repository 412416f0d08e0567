"""The order in which samples are trained on: groups of samples of one problem, dealt into batches.

One shape serves every objective: 1000 groups of one sample are the plain batch of reward modelling, 100 groups of ten
samples that of the paper's policy gradient. The order depends on the seed, the epoch and the samples alone, never on
which probes are being trained, so that a probe trained among others sees what it would see alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Some samples of some problems; a problem may appear in several groups of the same batch."""

    problems_G: Tensor  # which problem each group belongs to
    places_GS: Tensor  # which of its problem's samples are in the group
    mask_GS: Tensor  # False: nothing there


def draw_batches(mask_PN: Tensor, groups: int, samples: int, seed: int, epoch: int) -> Iterator[Batch]:
    """One epoch: every graded sample exactly once, at most `groups` groups of at most `samples` samples a batch.

    Each problem's samples are permuted on their own and dealt evenly into its groups; the groups are permuted and cut
    into batches as even as can be, so that none is dropped and none is tiny. Everything is drawn on the CPU.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    problems, width = mask_PN.shape
    count = math.ceil(width / samples)  # groups a problem
    keys_PN = torch.rand(problems, width, generator=generator).masked_fill(~mask_PN, 2.0)
    order_PN = keys_PN.argsort(dim=1)  # graded samples first, in random order
    spare = count * math.ceil(width / count) - width
    order_PN = torch.nn.functional.pad(order_PN, (0, spare), value=-1)
    places_PCS = order_PN.reshape(problems, -1, count).transpose(1, 2)  # group c gets every count-th sample
    valid_PCS = (places_PCS >= 0) & mask_PN[torch.arange(problems)[:, None, None], places_PCS.clamp(min=0)]
    problem_PC = torch.arange(problems)[:, None].expand(problems, count)
    filled_PC = valid_PCS.any(-1)
    problem_G, places_GS, valid_GS = problem_PC[filled_PC], places_PCS[filled_PC].clamp(min=0), valid_PCS[filled_PC]
    shuffled_G = torch.randperm(len(problem_G), generator=generator)
    for chosen in shuffled_G.tensor_split(max(1, math.ceil(len(shuffled_G) / groups))):
        yield Batch(problem_G[chosen], places_GS[chosen], valid_GS[chosen])
