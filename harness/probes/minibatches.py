"""The order in which samples are trained on: groups of samples of one problem, permuted into batches.

One shape serves every objective: 1000 groups of one sample are the plain batch of reward modelling, 100 groups of ten
samples that of the paper's policy gradient. The order depends on the seed, the epoch and the samples alone, never on
which probes are being trained, so that a probe trained among others sees what it would see alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from harness.probes.hyperparameters import Schedule


@dataclass(frozen=True)
class Batch:
    """Some samples of some problems; a problem may have several groups in the same batch."""

    problems_G: Tensor  # which problem each group belongs to
    places_GS: Tensor  # which of its problem's samples are in the group
    mask_GS: Tensor  # False: nothing there

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(self.problems_G.to(device), self.places_GS.to(device), self.mask_GS.to(device))


def draw_batches(mask_PN: Tensor, schedule: Schedule, epoch: int) -> Iterator[Batch]:
    """One epoch: every graded sample exactly once, in groups of at most `schedule.samples` of one problem.

    Each problem's samples are permuted on their own and split evenly into its groups; the groups are permuted and cut
    into batches as even as can be, so that none is dropped and none is tiny. Everything is drawn on the CPU.
    """
    generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + epoch)
    every = _draw_groups(mask_PN, schedule.samples, generator)
    total = len(every.problems_G)
    batches = math.ceil(total / schedule.groups) if schedule.groups else min(schedule.batches, total)
    for chosen in torch.randperm(total, generator=generator).tensor_split(max(batches, 1)):
        yield Batch(every.problems_G[chosen], every.places_GS[chosen], every.mask_GS[chosen])


def _draw_groups(mask_PN: Tensor, samples: int, generator: torch.Generator) -> Batch:
    problems, width = mask_PN.shape
    keys_PN = torch.rand(problems, width, generator=generator).masked_fill(~mask_PN, 2.0)
    order_PN = keys_PN.argsort(dim=1)  # graded samples first, in random order
    count = math.ceil(width / samples)  # groups a problem; group c gets every count-th sample from the c-th
    spare = -width % count
    places_PCS = pad(order_PN, (0, spare)).reshape(problems, -1, count).transpose(1, 2)
    mask_PCS = pad(mask_PN.gather(1, order_PN), (0, spare)).reshape(problems, -1, count).transpose(1, 2)
    filled_PC = mask_PCS.any(-1)
    problems_PC = torch.arange(problems)[:, None].expand(problems, count)
    return Batch(problems_PC[filled_PC], places_PCS[filled_PC], mask_PCS[filled_PC])
