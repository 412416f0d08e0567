"""Synthetic samples with a known direction, drawn from the assumptions that probes make.

A sample passes with probability sigmoid(signal * d . z - difficulty - 1): z is its standard normal latent, d a unit
direction, and the difficulty is its problem's. The vector is z with a scale and an offset per feature, plus
`shown` times the difficulty along a second direction.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.probes.samples import Samples, View

PLANTED = View(26, "last")


@dataclass(frozen=True)
class Planted:
    """Samples, and the best possible scores."""

    samples: Samples
    truth_PN: Tensor  # d . z, which decides with the problem's difficulty if a sample passes


def plant(
    problems: int,
    samples: int,
    width: int,
    *,
    signal: float = 2.0,
    difficulty: float = 1.0,
    shown: float = 0.0,
    seed: int = 0,
) -> Planted:
    """Draw samples; `difficulty` is its standard deviation over problems, `shown` its weight in the vectors."""
    generator = torch.Generator().manual_seed(seed)
    vectors_PND = torch.empty(problems, samples, width).normal_(generator=generator)
    direction_D = _unit(width, generator)
    difficulty_P11 = difficulty * torch.empty(problems, 1, 1).normal_(generator=generator)
    truth_PN = vectors_PND @ direction_D
    chances_PN = (signal * truth_PN - difficulty_P11[..., 0] - 1).sigmoid()
    if shown:
        vectors_PND += shown * difficulty_P11 * _unit(width, generator)
    scales_D = torch.empty(width).uniform_(0.5, 2.0, generator=generator)
    vectors_PND.mul_(scales_D).add_(torch.empty(width).normal_(generator=generator))
    rewards_PN = torch.bernoulli(chances_PN, generator=generator)
    ids = tuple(f"planted/{p}" for p in range(problems))
    indices_PN = torch.arange(samples).expand(problems, samples)
    mask_PN = torch.ones(problems, samples, dtype=torch.bool)
    return Planted(Samples(ids, {PLANTED: vectors_PND}, rewards_PN, mask_PN, indices_PN), truth_PN)


def _unit(width: int, generator: torch.Generator) -> Tensor:
    direction_D = torch.empty(width).normal_(generator=generator)
    return direction_D.div(direction_D.norm())
