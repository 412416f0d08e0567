"""Mean and scale of the features of each training set, from one sum per problem.

Every fold's statistics come from one pass over the features: a fold's sums are the sums of its problems.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.probes.samples import Samples, View


@dataclass(frozen=True)
class Moments:
    """Sums over the graded samples of each problem, in float64."""

    counts_P: Tensor
    sums_PD: Tensor
    squares_PD: Tensor

    @classmethod
    def of(cls, samples: Samples, view: View) -> "Moments":
        """Read the features of one view once, one problem after the other, so that the float64 copy stays small."""
        problems, _, width = samples.vectors[view].shape
        sums_PD = torch.zeros(problems, width, dtype=torch.float64, device=samples.mask_PN.device)
        squares_PD = torch.zeros_like(sums_PD)  # allocated at once: lists of small tensors would fragment the heap
        for position, (vectors_ND, mask_N) in enumerate(zip(samples.vectors[view], samples.mask_PN, strict=True)):
            graded_ND = vectors_ND[mask_N].double()
            sums_PD[position] = graded_ND.sum(0)
            squares_PD[position] = graded_ND.square_().sum(0)
        return cls(samples.mask_PN.sum(1).double(), sums_PD, squares_PD)

    def standard(self, train_FP: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [F, D] and standard deviation [F, D] over each training set; a constant feature has scale 1."""
        chosen_FP = train_FP.double()
        counts_F1 = (chosen_FP @ self.counts_P).clamp(min=1)[:, None]
        mean_FD = chosen_FP @ self.sums_PD / counts_F1
        variance_FD = (chosen_FP @ self.squares_PD / counts_F1 - mean_FD.square()).clamp(min=0)
        scale_FD = variance_FD.sqrt()
        constant_FD = scale_FD <= 1e-7 * mean_FD.abs()  # a constant feature, up to rounding
        return mean_FD, scale_FD.masked_fill(constant_FD, 1.0)
