"""Minibatches: the order in which samples are trained on, in groups of samples of one problem.

One shape serves every objective: 1000 groups of one sample are the plain minibatch of reward modelling, 100 groups of
ten samples that of the paper's policy gradient. The order depends on the seed, the epoch and the samples alone, never
on which probes are being trained, so that a probe trained among others sees what it would see alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from harness.probes.hyperparameters import Schedule


@dataclass(frozen=True)
class Minibatch:
    """Some samples of some problems; a problem may have several groups in one minibatch."""

    problems_G: Tensor  # position of the problem of each group
    places_GS: Tensor  # positions, among the problem's samples, of the samples in the group
    mask_GS: Tensor  # bool: False for padding

    def to(self, device: torch.device) -> "Minibatch":
        """The same minibatch on another device."""
        return Minibatch(self.problems_G.to(device), self.places_GS.to(device), self.mask_GS.to(device))


def draw_minibatches(mask_PN: Tensor, schedule: Schedule, epoch: int) -> Iterator[Minibatch]:
    """Yield one epoch: every graded sample exactly once, in groups of at most `schedule.samples` of one problem.

    Each problem's samples are shuffled and split evenly into its groups; the groups are shuffled and split into
    minibatches of nearly equal size, so that none is dropped and none is tiny. Everything is drawn on the CPU.
    """
    generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + epoch)
    groups = _draw_groups(mask_PN, schedule.samples, generator)
    total = len(groups.problems_G)
    count = math.ceil(total / schedule.groups) if schedule.groups else min(schedule.batches, total)
    for part in torch.randperm(total, generator=generator).tensor_split(max(count, 1)):
        yield Minibatch(groups.problems_G[part], groups.places_GS[part], groups.mask_GS[part])


def _draw_groups(mask_PN: Tensor, samples: int, generator: torch.Generator) -> Minibatch:
    """All groups of an epoch, in the order of the problems."""
    problems, width = mask_PN.shape
    keys_PN = torch.rand(problems, width, generator=generator).masked_fill(~mask_PN, 2.0)
    order_PN = keys_PN.argsort(dim=1)  # graded samples first, in random order
    count = math.ceil(width / samples)  # groups per problem; group c gets every count-th sample from the c-th
    spare = -width % count
    places_PCS = pad(order_PN, (0, spare)).reshape(problems, -1, count).transpose(1, 2)
    mask_PCS = pad(mask_PN.gather(1, order_PN), (0, spare)).reshape(problems, -1, count).transpose(1, 2)
    filled_PC = mask_PCS.any(-1)
    problems_PC = torch.arange(problems)[:, None].expand(problems, count)
    return Minibatch(problems_PC[filled_PC], places_PCS[filled_PC], mask_PCS[filled_PC])
