"""Many ridge regressions at once by conjugate gradients, without the matrix of any.

The systems of training sets that share most of their samples are alike: the inverse of one matrix, that of all these
samples, leads to every solution in some twenty steps (conjugate gradients, Hestenes and Stiefel 1952, with a
preconditioner). A step is two products with the vectors for all systems together. Steps are in float32, and residuals
in float64, until the solutions predict alike to `TOLERANCE` (iterative refinement, Wilkinson 1963).

Dimensions: M systems, P problems, N samples of a problem, R graded samples, D width, L values of l2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from harness.probes.moments import Moments
from harness.probes.products import product
from harness.probes.ridge import LEAST_L2
from harness.probes.samples import Samples, View, graded_rows

TOLERANCE = 1e-6
"""The relative error of predictions, by the estimate of the preconditioner, at which a system is solved."""

TOLERANCE_OF_TRIALS = 3e-3
"""The same for probes that are compared and not kept: a choice between values of l2 needs no more."""

REFINEMENTS, STEPS, REDUCTION = 5, 40, 1e-3
"""The most residuals in float64, the most steps after each, and the factor of the error at which these end."""

WIDEST_SYSTEMS = 10_000_000
"""Numbers of the solutions of systems that are solved together."""

LEAST_WIDTH = 2048
"""Below, a decomposition of each matrix costs little."""

TINY = 1e-30
"""Keeps the steps of systems that are solved finite."""

RATIO = 2
"""Samples per feature from which a part of the samples gives much the same matrix as all."""


def pays(graded: float, width: int) -> bool:
    """Return whether systems of so many samples are wide, and alike where they share most of these."""
    return width >= LEAST_WIDTH and graded >= RATIO * width


@dataclass(frozen=True)
class Preconditioner:
    """The inverses of covariance + l2 I of the vectors of many problems, standardised, by l2; float32."""

    inverses: Mapping[float, Tensor]

    @classmethod
    def of(cls, samples: Samples, view: View, problems_P: Tensor, moments: Moments, l2s: Sequence[float]) -> Self:
        """Read the graded vectors of the problems once."""
        (mean_D,), (scale_D,) = moments.standard(problems_P[None].to(samples.mask_PN.device))
        gram_DD, count = torch.zeros(len(mean_D), len(mean_D), device=mean_D.device), 0
        for rows_RD, _ in graded_rows(samples, view, problems_P, torch.float32):
            rows_RD -= mean_D.float()
            gram_DD += product(rows_RD.T, rows_RD.T)
            count += len(rows_RD)
        covariance_DD = gram_DD.double() / count / scale_D / scale_D[:, None]
        return cls({l2: _inverse(covariance_DD, max(l2, LEAST_L2)) for l2 in l2s})

    def __call__(self, values_MD: Tensor, l2s: Sequence[float]) -> Tensor:
        """Return about the solutions of systems with these right sides and values of l2; float32."""
        solved_MD = torch.empty_like(values_MD, dtype=torch.float32)
        for l2, inverse_DD in self.inverses.items():
            own = [system for system, value in enumerate(l2s) if value == l2]
            solved_MD[own] = product(values_MD[own].float(), inverse_DD)
        return solved_MD


def _inverse(covariance_DD: Tensor, l2: float) -> Tensor:
    """The inverse of covariance + l2 I, float32: by float32 where that is precise enough to have a factor."""
    shifted_DD = covariance_DD.clone()
    shifted_DD.diagonal().add_(l2)
    factor_DD, failed = torch.linalg.cholesky_ex(shifted_DD.float())
    if failed:
        factor_DD = torch.linalg.cholesky(shifted_DD)
    return torch.cholesky_inverse(factor_DD).float()


@dataclass(frozen=True)
class Systems:
    """Systems (C + l2 I) w = c of the graded samples of some problems each.

    C is the covariance of the vectors (x - mean) / scale, and c theirs with the rewards.
    """

    samples: Samples
    view: View
    train_MP: Tensor  # bool
    mean_MD: Tensor  # of the graded vectors of each system; float64
    scale_MD: Tensor  # float64
    rewards_KPN: Tensor
    kinds_M: Tensor  # the rewards of each system
    l2s: Sequence[float]

    @property
    def mean_rewards(self) -> Tensor:
        """The mean [M] of each system's rewards, float64."""
        graded_KP = (self.rewards_KPN * self.samples.mask_PN).sum(2).double()
        return (graded_KP[self.kinds_M] * self.train_MP).sum(1) / self._counts

    def solve(self, preconditioner: Preconditioner, tolerance: float) -> tuple[Tensor, Tensor]:
        """Return the solutions [M, D], float64, and which of them [M] are within the tolerance."""

        def energies(residual_MD: Tensor) -> Tensor:
            return (residual_MD * preconditioner(residual_MD, self.l2s)).sum(1)

        right_MD = residual_MD = self._right_sides()
        solution_MD, goal_M = torch.zeros_like(right_MD), tolerance**2 * energies(right_MD)
        for _ in range(REFINEMENTS):
            solution_MD = solution_MD + self._correction(residual_MD.float(), preconditioner)
            residual_MD = right_MD - self._multiply(solution_MD)
            solved_M = energies(residual_MD) <= goal_M
            if bool(solved_M.all()):
                break
        return solution_MD, solved_M

    def _correction(self, residual_MD: Tensor, preconditioner: Preconditioner) -> Tensor:
        """Return about the solutions for these right sides, by conjugate gradients for each."""
        solution_MD, direction_MD = torch.zeros_like(residual_MD), preconditioner(residual_MD, self.l2s)
        energy_M = first_M = (residual_MD * direction_MD).sum(1)
        for _ in range(STEPS):
            if bool((energy_M <= REDUCTION**2 * first_M).all()):
                break
            image_MD = self._multiply(direction_MD)
            length_M1 = (energy_M / (direction_MD * image_MD).sum(1).clamp(min=TINY))[:, None]
            solution_MD += length_M1 * direction_MD
            residual_MD = residual_MD - length_M1 * image_MD
            ahead_MD = preconditioner(residual_MD, self.l2s)
            before_M, energy_M = energy_M, (residual_MD * ahead_MD).sum(1)
            direction_MD = ahead_MD + (energy_M / before_M.clamp(min=TINY))[:, None] * direction_MD
        return solution_MD

    def _multiply(self, values_MD: Tensor) -> Tensor:
        """Return the product of each system's matrix with its values, in their precision."""
        raw_MD = values_MD / self.scale_MD.to(values_MD)
        level_M = (raw_MD * self._apart.to(values_MD)).sum(1)
        image_MD = self._collected(values_MD.dtype, lambda rows_RD, _: product(rows_RD, raw_MD) - level_M)
        l2_M1 = torch.tensor(self.l2s).clamp(min=LEAST_L2).to(values_MD)[:, None]
        return image_MD + l2_M1 * values_MD

    def _right_sides(self) -> Tensor:
        """The covariances [M, D] of the vectors with the rewards, float64."""
        mean_M = self.mean_rewards

        def deviations(_: Tensor, graded_2R: tuple[Tensor, Tensor]) -> Tensor:
            rewards_KR = self.rewards_KPN[:, graded_2R[0], graded_2R[1]].double()
            return rewards_KR.T[:, self.kinds_M] - mean_M

        return self._collected(torch.float64, deviations)

    def _collected(self, dtype: torch.dtype, values_RM: Callable[[Tensor, tuple[Tensor, Tensor]], Tensor]) -> Tensor:
        """The means [M, D], over the samples of each system, of values times the vectors less their mean, scaled."""
        total_MD = torch.zeros_like(self.mean_MD, dtype=dtype)
        level_M = total_MD.new_zeros(len(total_MD))
        own_P = self.train_MP.any(0)
        for rows_RD, graded_2R in graded_rows(self.samples, self.view, own_P, dtype):
            rows_RD -= self._origin.to(dtype)
            own_RM = values_RM(rows_RD, graded_2R) * self.train_MP[:, graded_2R[0]].T
            total_MD += product(own_RM.T, rows_RD.T)
            level_M += own_RM.sum(0)
        total_MD -= level_M[:, None] * self._apart.to(total_MD)
        return total_MD / self.scale_MD.to(total_MD) / self._counts.to(total_MD)[:, None]

    @cached_property
    def _origin(self) -> Tensor:
        """A point [D] amid all vectors: numbers near zero lose less of their precision in products."""
        return self.mean_MD.mean(0)

    @cached_property
    def _apart(self) -> Tensor:
        """The distance [M, D] of each system's mean from it."""
        return self.mean_MD - self._origin

    @cached_property
    def _counts(self) -> Tensor:
        """The number [M] of each system's samples, float64."""
        return self.train_MP.double() @ self.samples.mask_PN.sum(1).double()
