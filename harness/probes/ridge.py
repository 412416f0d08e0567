"""Ridge regression within problems: the linear probe with the least `copg` loss, in closed form.

The loss is the mean over problems of the variance of r - Q within the problem, plus l2 |w|^2 for weights of vectors in
units of their deviations within problems. What all samples of a problem share, its difficulty above all, plays no part,
and the best weights solve one linear system. Its matrix is the same for all rewards, and that of many training sets is
a sum of a few.

Dimensions: P problems, N samples of a problem, D width, S training sets, A parts of them, L values of l2, K kinds of
rewards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDING = 1e-6
"""A feature that deviates less within problems, relative to its size, is constant there."""

LEAST_L2 = 1e-4
"""Any smaller l2 counts as this one: with none, a system of more features than samples has no single solution."""


@dataclass(frozen=True)
class Deviations:
    """The vectors of a view as deviations from the mean of their problem's graded samples."""

    vectors_PND: Tensor  # float32 or float64; 0 outside the mask, and for features that are constant in every problem
    mask_PN: Tensor  # bool: the graded samples
    sums_PD: Tensor  # of each problem's graded vectors as they come, float64

    @classmethod
    def of(cls, vectors_PND: Tensor, mask_PN: Tensor) -> "Deviations":
        """Return the deviations of graded samples."""
        values_PND = vectors_PND.to(torch.promote_types(vectors_PND.dtype, torch.float32))
        centred_PND = deviations(values_PND, mask_PN)
        sums_PD = (values_PND * mask_PN[..., None]).sum(1)
        size_D = (values_PND * mask_PN[..., None]).abs().amax((0, 1))
        constant_D = centred_PND.abs().amax((0, 1)) <= ROUNDING * size_D
        return cls(centred_PND.masked_fill_(constant_D, 0.0), mask_PN, sums_PD.double())

    def mean(self, train_P: Tensor) -> Tensor:
        """Return the mean [D] of the graded vectors of some problems."""
        chosen_P = train_P.to(self.sums_PD)
        return chosen_P @ self.sums_PD / (chosen_P @ self.mask_PN.sum(1).double()).clamp(min=1)

    def split(self, features: int) -> tuple["Deviations", Tensor]:
        """Return the vectors without the features behind their numbers, and these [P, N, F]."""
        width = self.vectors_PND.shape[-1] - features
        vectors = Deviations(self.vectors_PND[..., :width], self.mask_PN, self.sums_PD[:, :width])
        return vectors, self.vectors_PND[..., width:]

    def scores(self, weights_SLKD: Tensor) -> Tensor:
        """Return the scores [S, L, K, P, N] of all samples, float32 on the CPU; 0 outside the mask."""
        flat_DM = weights_SLKD.flatten(0, -2).T.to(self.vectors_PND)
        scores_PNM = (self.vectors_PND @ flat_DM).float().cpu()
        return scores_PNM.permute(2, 0, 1).reshape(*weights_SLKD.shape[:-1], *self.mask_PN.shape)


def deviations(values: Tensor, mask_PN: Tensor) -> Tensor:
    """Return values [P, N] or [P, N, D] less the mean of their problem's in the mask; 0 outside the mask."""
    inside = mask_PN if values.dim() == 2 else mask_PN[..., None]
    means = (values * inside).sum(1, keepdim=True) / inside.sum(1, keepdim=True).clamp(min=1)
    return (values - means).masked_fill_(~inside, 0.0)


def ridge(vectors: Deviations, rewards_KPN: Tensor, train_SP: Tensor, l2s: Sequence[float | Tensor]) -> Tensor:
    """Return the weights [S, L, K, D] for vectors as they come, float64 on the CPU: by training set, l2 and reward.

    An l2 is one number, or one for each feature. Problems that the same training sets contain are summed over once.
    """
    mask_PN = vectors.mask_PN
    targets_KPN = torch.stack([deviations(rewards_PN, mask_PN) for rewards_PN in rewards_KPN])
    degrees_P = (mask_PN.sum(1) - 1).clamp(min=1)
    patterns_SA, part_P = torch.unique(train_SP, dim=1, return_inverse=True)
    grams, crosses = [], []
    for part in range(patterns_SA.shape[1]):
        problems_Q = (part_P == part).nonzero().flatten().to(mask_PN.device)
        graded_QN, root_Q1 = mask_PN[problems_Q], degrees_P[problems_Q, None].to(vectors.vectors_PND).sqrt()
        rows_RD = (vectors.vectors_PND[problems_Q] / root_Q1[..., None])[graded_QN]
        targets_KR = (targets_KPN[:, problems_Q] / root_Q1)[:, graded_QN].to(rows_RD)
        grams.append((rows_RD.T @ rows_RD).double().cpu())
        crosses.append((targets_KR @ rows_RD).double().cpu())
    problems_S = (train_SP & (mask_PN.sum(1) > 1).cpu()).sum(1).clamp(min=1)
    weights = []
    for parts_A, problems in zip(patterns_SA, problems_S.tolist(), strict=True):
        weights.append(solve(_sum(parts_A, grams) / problems, _sum(parts_A, crosses) / problems, l2s))
    return torch.stack(weights)


def _sum(chosen_A: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """The sum of the chosen ones of some tensors of one shape; at least one is chosen."""
    first, *others = [part for part, chosen in zip(parts, chosen_A.tolist(), strict=True) if chosen]
    return sum(others, first)


def solve(gram_DD: Tensor, cross_KD: Tensor, l2s: Sequence[float | Tensor]) -> Tensor:
    """Return the weights [L, K, D] that minimise w' G w - 2 w' c + l2 |w|^2, with w for features of unit variance."""
    scale_D = gram_DD.diagonal().sqrt()
    scale_D = scale_D.masked_fill(scale_D == 0, 1.0)
    standard_DD, standard_DK = gram_DD / scale_D / scale_D[:, None], (cross_KD / scale_D).T
    return shifted_solutions(standard_DD, standard_DK, l2s).transpose(1, 2) / scale_D


def shifted_solutions(matrix_DD: Tensor, right_DK: Tensor, l2s: Sequence[float | Tensor]) -> Tensor:
    """Return the solutions [L, D, K] of (matrix + l2 I) x = right for each l2, one number or one for each row.

    One Cholesky decomposition each: for a few values of l2 that is faster than one eigendecomposition for all.
    """
    solutions = []
    for l2 in l2s:
        shifted_DD = matrix_DD.clone()
        shifted_DD.diagonal().add_(torch.as_tensor(l2).clamp(min=LEAST_L2).to(matrix_DD))
        solutions.append(torch.cholesky_solve(right_DK, torch.linalg.cholesky(shifted_DD)))
    return torch.stack(solutions)
