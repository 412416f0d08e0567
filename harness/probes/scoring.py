"""Scoring samples with many probes at once: one matrix product for all probes that read the same views."""

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.probes.forms import Form, Weights
from harness.probes.samples import Samples, View


@dataclass(frozen=True)
class Scorer:
    """The features that the M probes of one batch read, and the form they share."""

    samples: Samples
    views: tuple[View, ...]
    form: Form

    def __call__(self, folded: Weights, problems_G1: Tensor, places_GS: Tensor) -> Tensor:
        """The scores [M, G, S] of the samples at these positions, by weights for raw vectors."""
        rows_R = (problems_G1 * self.samples.mask_PN.shape[1] + places_GS).flatten()
        probes = len(folded["project"])
        maps = []
        for v, view in enumerate(self.views):
            vectors_RD = self.samples.vectors[view].flatten(0, 1)[rows_R].to(folded["project"].dtype)
            maps.append((vectors_RD @ folded["project"][:, v].flatten(0, 1).T).view(len(rows_R), probes, -1))
        maps_MRVH = torch.stack(maps, 2).transpose(0, 1) + folded["offset"][:, None]
        return self.form.head(maps_MRVH, folded).view(probes, *places_GS.shape)

    def whole(self, folded: Weights, problems_Q: Tensor, at_once: int = 32) -> Tensor:
        """The scores [M, Q, N] of all samples of some problems, a few problems at a time to bound the memory."""
        every_1N = torch.arange(self.samples.mask_PN.shape[1], device=problems_Q.device)[None]
        chunks = [problems_Q[start : start + at_once, None] for start in range(0, len(problems_Q), at_once)]
        return torch.cat([self(folded, chunk_G1, every_1N.expand(len(chunk_G1), -1)) for chunk_G1 in chunks], 1)
