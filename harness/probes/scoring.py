"""Scoring samples with many probes at once: one matrix product for all probes that read the same views."""

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.probes.forms import Form, Linear, Weights
from harness.probes.products import product
from harness.probes.samples import Samples, View

SAMPLES_AT_ONCE = 6400
"""The samples whose vectors are copied at once."""


@dataclass(frozen=True)
class Scorer:
    """The features that the M probes of one batch read, and the form they share."""

    samples: Samples
    views: tuple[View, ...]
    form: Form
    up_to_level: bool = False  # a number that is added to all scores of a problem makes no difference

    def __call__(self, folded: Weights, problems_G1: Tensor, places_GS: Tensor) -> Tensor:
        """The scores [M, G, S] of the samples at these positions, by weights for raw vectors."""
        rows_GS = problems_G1 * self.samples.mask_PN.shape[1] + places_GS
        if self.up_to_level and places_GS.shape[-1] == 2 and isinstance(self.form, Linear):
            return self._of_pairs(folded, rows_GS)
        rows_R, probes = rows_GS.flatten(), len(folded["project"])
        maps = []
        for v, view in enumerate(self.views):
            vectors_RD = self.samples.vectors[view].flatten(0, 1)[rows_R].to(folded["project"].dtype)
            maps.append(product(vectors_RD, folded["project"][:, v].flatten(0, 1)).view(len(rows_R), probes, -1))
        maps_MRVH = torch.stack(maps, 2).transpose(0, 1) + folded["offset"][:, None]
        return self.form.head(maps_MRVH, folded).view(probes, *places_GS.shape)

    def _of_pairs(self, folded: Weights, rows_G2: Tensor) -> Tensor:
        """The scores [M, G, 2] of pairs, less the mean of each: half the product of the difference of its vectors."""
        half_MG = torch.zeros(())
        for v, view in enumerate(self.views):
            vectors_RD = self.samples.vectors[view].flatten(0, 1)
            # in the weights' type first: a difference of half-precision numbers rounds, and may be infinite
            first_GD, second_GD = (vectors_RD[rows_G2[:, place]].to(folded["project"].dtype) for place in (0, 1))
            half_MG = half_MG + product(first_GD - second_GD, folded["project"][:, v, 0]).T / 2
        offset_M11 = folded["offset"].sum((-2, -1))[:, None, None]
        return torch.stack([half_MG, -half_MG], -1) + offset_M11

    def whole(self, folded: Weights, problems_Q: Tensor) -> Tensor:
        """The scores [M, Q, N] of all samples of some problems, a few problems at a time to bound the memory."""
        samples = self.samples.mask_PN.shape[1]
        at_once = max(1, SAMPLES_AT_ONCE // samples)
        every_1N = torch.arange(samples, device=problems_Q.device)[None]
        chunks = [problems_Q[start : start + at_once, None] for start in range(0, len(problems_Q), at_once)]
        return torch.cat([self(folded, chunk_G1, every_1N.expand(len(chunk_G1), -1)) for chunk_G1 in chunks], 1)
