"""Scoring samples with many probes at once: one matrix product for all probes that read the same views."""

from collections.abc import Sequence
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
        if self._are_pairs(places_GS.shape[-1]):
            return self._of_pairs(folded, rows_GS)
        flat = (self.samples.vectors[view].flatten(0, 1) for view in self.views)
        return self._of_vectors(folded, [each_RD.index_select(0, rows_GS.flatten()) for each_RD in flat], rows_GS.shape)

    def _are_pairs(self, samples: int) -> bool:
        """True for groups of two samples whose difference is all that matters."""
        return self.up_to_level and samples == 2 and isinstance(self.form, Linear)

    def _of_vectors(self, folded: Weights, views: Sequence[Tensor], shape: torch.Size) -> Tensor:
        """The scores [M, G, S] of samples with these vectors, [R, D] of each view; `shape` is G, S."""
        probes = len(folded["project"])
        maps = []
        for v, vectors_RD in enumerate(views):
            project_CD = folded["project"][:, v].flatten(0, 1)
            maps.append(product(project_CD, vectors_RD.to(project_CD.dtype)).view(probes, -1, len(vectors_RD)))
        maps_MRVH = torch.stack(maps, 1).permute(0, 3, 1, 2) + folded["offset"][:, None]
        return self.form.head(maps_MRVH, folded).view(probes, *shape)

    def _of_pairs(self, folded: Weights, rows_G2: Tensor) -> Tensor:
        """The scores [M, G, 2] of pairs, less the mean of each: half the product of the difference of its vectors."""
        half_MG = torch.zeros(())
        for v, view in enumerate(self.views):
            vectors_RD = self.samples.vectors[view].flatten(0, 1)
            # in the weights' type first: a difference of half-precision numbers rounds, and may be infinite
            first_GD, second_GD = (vectors_RD[rows_G2[:, place]].to(folded["project"].dtype) for place in (0, 1))
            half_MG = half_MG + product(folded["project"][:, v, 0], first_GD - second_GD) / 2
        offset_M11 = folded["offset"].sum((-2, -1))[:, None, None]
        return torch.stack([half_MG, -half_MG], -1) + offset_M11

    def whole(self, folded: Weights, problems_Q: Tensor) -> Tensor:
        """The scores [M, Q, N] of all samples of some problems, a few problems at a time to bound the memory."""
        samples = self.samples.mask_PN.shape[1]
        chunks = torch.split(problems_Q, max(1, SAMPLES_AT_ONCE // samples))
        if self._are_pairs(samples):
            pair_12 = torch.arange(2, device=problems_Q.device)[None]
            return torch.cat([self(folded, some_Q[:, None], pair_12.expand(len(some_Q), -1)) for some_Q in chunks], 1)
        scores = []
        for some_Q in chunks:
            views = [self.samples.vectors[view].index_select(0, some_Q).flatten(0, 1) for view in self.views]
            scores.append(self._of_vectors(folded, views, torch.Size((len(some_Q), samples))))
        return torch.cat(scores, 1)
