"""Reward modelling in closed form: the linear probe with the least `mse` loss and l2 |w|^2, without epochs.

Vectors are standardised as in training by gradients, and the offset is not penalised, so that this is the very minimum
which that training approaches. It solves one linear system, (C + l2 I) w = c, for the covariance C of the vectors and
theirs with the rewards, c (ridge regression, Hoerl and Kennard 1970). The covariances of training sets that share
their folds are sums over a few parts; with fewer samples than features, the system of the samples is solved, which has
the same solution.

Dimensions: M probes, P problems, R graded samples, D width, S training sets, L values of l2, K permutations of the
rewards.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

import numpy as np
import torch
from torch import Tensor

from harness.probes import conjugate
from harness.probes.batch import ProbeBatch, ProbeSpec
from harness.probes.controls import Permutation, permuted_rewards
from harness.probes.forms import Weights, find_form
from harness.probes.moments import Moments
from harness.probes.ridge import shifted_solutions
from harness.probes.samples import Samples, View, graded_rows
from harness.probes.scoring import Scorer
from harness.probes.training import Trained, trained_as
from harness.probes.validation import validate, validation_parts
from harness.progress import Advance, ignore
from harness.stats.rules import SelectionRule

MOST_PARTS = 16
"""Parts of the problems whose sums are kept at once, one [D, D] matrix each."""


def solve(
    samples: Samples,
    specs: Sequence[ProbeSpec],
    rules: Sequence[SelectionRule],
    moments: Mapping[View, Moments] | None,
    *,
    advance: Advance = ignore,
) -> list[Trained]:
    """Solve the probe of every spec, each linear and of one view; the results are in the order of `specs`.

    The curve of a probe with validation problems has one point. `moments` standardises the vectors; None leaves them
    as they come. `advance` is told of each probe that is solved.
    """
    solved: dict[int, Trained] = {}
    order = sorted(range(len(specs)), key=lambda position: specs[position].hyperparameters.views)
    for _, positions in groupby(order, key=lambda position: specs[position].hyperparameters.views):
        for position, result in _solve_view(samples, {place: specs[place] for place in positions}, rules, moments):
            solved[position] = result
            advance()
    return [solved[position] for position in range(len(specs))]


def _solve_view(
    samples: Samples,
    specs: Mapping[int, ProbeSpec],
    rules: Sequence[SelectionRule],
    moments: Mapping[View, Moments] | None,
) -> Iterator[tuple[int, Trained]]:
    """Yield the probes of one view, with their keys in `specs`; one for those that differ in validation alone."""
    own = list(specs.values())
    hyperparameters = own[0].hyperparameters
    by_system: dict[tuple[bytes, float, Permutation | None], int] = {}
    rows = [by_system.setdefault(_system_of(spec), len(by_system)) for spec in own]
    distinct = [own[rows.index(row)] for row in range(len(by_system))]
    permutations = list(dict.fromkeys(spec.permutation for spec in distinct))
    rewards_KPN = torch.stack([permuted_rewards(samples, permutation) for permutation in permutations])
    batch = ProbeBatch.of(samples, distinct, permutations, moments)
    view = hyperparameters.views[0]
    weights = _solutions(samples, view, distinct, batch, rewards_KPN, moments[view] if moments else None)
    scorer = Scorer(samples, hyperparameters.views, find_form(hyperparameters.form))
    curves = validate(scorer, validation_parts(own, rows), batch, weights, rewards_KPN, rules)
    folded = batch.folded(weights)
    for place, (key, spec) in enumerate(specs.items()):
        curve_EBS = curves[place][None] if place in curves else np.zeros((0, len(rules), 4))
        probe_weights = {name: weight[rows[place]].clone() for name, weight in folded.items()}
        yield key, trained_as(spec, probe_weights, 0, curve_EBS)


def _system_of(spec: ProbeSpec) -> tuple[bytes, float, Permutation | None]:
    """All that the solution depends on, for probes of one view."""
    return _key(spec.train_P), spec.hyperparameters.l2, spec.permutation


def _key(train_P: Tensor) -> bytes:
    return train_P.numpy().tobytes()


@dataclass(frozen=True)
class _Solution:
    """The weights of one probe for standardised vectors, and the means of its training samples; float64."""

    row: int
    weights_D: Tensor
    mean_D: Tensor
    mean_reward: Tensor


def _solutions(
    samples: Samples,
    view: View,
    specs: Sequence[ProbeSpec],
    batch: ProbeBatch,
    rewards_KPN: Tensor,
    moments: Moments | None,
) -> Weights:
    """The weights of all probes, for vectors standardised as in the batch."""
    project_MD = torch.zeros_like(batch.mean_MVD[:, 0])
    offset_M = torch.zeros_like(batch.l2_M)
    are_trials = all(spec.validate_P is not None for spec in specs)
    tolerance = conjugate.TOLERANCE_OF_TRIALS if are_trials else conjugate.TOLERANCE
    graded_M = batch.train_MP.double() @ samples.mask_PN.sum(1).double()
    wide = [row for row, graded in enumerate(graded_M.tolist()) if conjugate.pays(graded, project_MD.shape[1])]
    solutions = list(_by_steps(samples, view, wide, batch, rewards_KPN, moments, tolerance)) if wide else []
    left = sorted(set(range(len(specs))) - {solution.row for solution in solutions})
    for solution in chain(solutions, _by_decomposition(samples, view, specs, left, batch, rewards_KPN)):
        row, (mean_D, scale_D) = solution.row, _standard(batch, solution.row)
        shift_D = (solution.mean_D - mean_D) / scale_D  # only rounding where vectors are standardised
        project_MD[row] = solution.weights_D.to(project_MD)
        offset_M[row] = solution.mean_reward - solution.weights_D @ shift_D
    return {"project": project_MD[:, None, None], "offset": offset_M[:, None, None]}


def _standard(batch: ProbeBatch, row: int) -> tuple[Tensor, Tensor]:
    """The mean and scale [D] by which a probe's vectors are standardised, float64."""
    return batch.mean_MVD[row, 0].double(), batch.scale_MVD[row, 0].double()


def _by_steps(
    samples: Samples,
    view: View,
    rows: Sequence[int],
    batch: ProbeBatch,
    rewards_KPN: Tensor,
    moments: Moments | None,
    tolerance: float,
) -> Iterator[_Solution]:
    """Yield the solutions of wide systems of many samples, but those that many steps leave unsolved."""
    moments = moments or Moments.of(samples, view)
    l2s = [float(l2) for l2 in batch.l2_M.tolist()]
    union_P = batch.train_MP[torch.tensor(rows)].any(0)
    near = conjugate.Preconditioner.of(samples, view, union_P, moments, list(dict.fromkeys(l2s[row] for row in rows)))
    for some in torch.split(torch.tensor(rows), max(1, conjugate.WIDEST_SYSTEMS // batch.mean_MVD.shape[-1])):
        own_M = some.to(batch.l2_M.device)
        systems = conjugate.Systems(
            samples,
            view,
            batch.train_MP[own_M],
            moments.standard(batch.train_MP[own_M])[0],
            batch.scale_MVD[own_M, 0].double(),
            rewards_KPN,
            batch.permutation_M[own_M],
            [l2s[row] for row in some.tolist()],
        )
        weights_MD, solved_M = systems.solve(near, tolerance)
        parts = zip(some.tolist(), solved_M.tolist(), weights_MD, systems.mean_MD, systems.mean_rewards, strict=True)
        yield from (_Solution(row, *found) for row, is_solved, *found in parts if is_solved)


def _by_decomposition(
    samples: Samples,
    view: View,
    specs: Sequence[ProbeSpec],
    rows: Sequence[int],
    batch: ProbeBatch,
    rewards_KPN: Tensor,
) -> Iterator[_Solution]:
    """Yield the solutions of these specs, a decomposition of a matrix for each."""
    by_set: dict[bytes, list[int]] = {}
    for row in rows:
        by_set.setdefault(_key(specs[row].train_P), []).append(row)
    sets = list(by_set.values())
    train_SP = torch.stack([specs[own[0]].train_P for own in sets]) if sets else torch.zeros(0, len(samples.mask_PN))
    for number, system in _systems(samples, view, train_SP, rewards_KPN):
        l2s = list(dict.fromkeys(specs[row].hyperparameters.l2 for row in sets[number]))
        weights_LKD = system.solutions(_standard(batch, sets[number][0])[1], l2s)
        for row in sets[number]:
            kind = int(batch.permutation_M[row])
            weights_D = weights_LKD[l2s.index(specs[row].hyperparameters.l2), kind]
            yield _Solution(row, weights_D, system.mean_D, system.reward_K[kind])


@dataclass(frozen=True)
class _Sums:
    """Means of some problems' graded samples, and sums of products of the deviations from them; float64."""

    count: int
    mean_D: Tensor
    reward_K: Tensor
    gram_DD: Tensor
    cross_KD: Tensor

    @classmethod
    def of(cls, samples: Samples, view: View, problems_P: Tensor, rewards_KPN: Tensor) -> "_Sums":
        """Read the vectors of some problems twice, a part of them at a time."""
        graded_PN = samples.mask_PN & problems_P.to(samples.mask_PN.device)[:, None]
        count, rewards_KR = max(int(graded_PN.sum()), 1), rewards_KPN[:, graded_PN].double()
        width = samples.vectors[view].shape[-1]
        mean_D = rewards_KR.new_zeros(width)
        for rows_RD, _ in graded_rows(samples, view, problems_P, torch.float64):
            mean_D += rows_RD.sum(0) / count
        gram_DD, cross_KD, done = mean_D.new_zeros(width, width), mean_D.new_zeros(len(rewards_KR), width), 0
        for rows_RD, _ in graded_rows(samples, view, problems_P, torch.float64):
            rows_RD -= mean_D
            gram_DD.addmm_(rows_RD.T, rows_RD)
            cross_KD.addmm_(rewards_KR[:, done : done + len(rows_RD)], rows_RD)
            done += len(rows_RD)
        return cls(int(graded_PN.sum()), mean_D, rewards_KR.sum(1) / count, gram_DD, cross_KD)

    @classmethod
    def joined(cls, parts: Sequence["_Sums"]) -> "_Sums":
        """The sums of several parts together (Chan, Golub and LeVeque 1979)."""
        counts_A = torch.tensor([part.count for part in parts]).to(parts[0].mean_D)
        means_AD = torch.stack([part.mean_D for part in parts])
        rewards_AK = torch.stack([part.reward_K for part in parts])
        total = counts_A.sum().clamp(min=1)
        mean_D, reward_K = counts_A @ means_AD / total, counts_A @ rewards_AK / total
        gram_DD, cross_KD = parts[0].gram_DD.clone(), parts[0].cross_KD.clone()
        for part in parts[1:]:
            gram_DD += part.gram_DD
            cross_KD += part.cross_KD
        apart_AD = (means_AD - mean_D) * counts_A[:, None]
        gram_DD.addmm_(apart_AD.T, means_AD - mean_D)
        cross_KD.addmm_((rewards_AK - reward_K).T, apart_AD)
        return cls(int(total), mean_D, reward_K, gram_DD, cross_KD)

    def solutions(self, scale_D: Tensor, l2s: Sequence[float]) -> Tensor:
        """The weights [L, K, D] of vectors divided by a scale."""
        system_DD = self.gram_DD / self.count / scale_D / scale_D[:, None]
        return shifted_solutions(system_DD, (self.cross_KD / self.count / scale_D).T, l2s).transpose(1, 2)


@dataclass(frozen=True)
class _Few:
    """Fewer graded samples than features, as deviations from their mean; float64."""

    mean_D: Tensor
    reward_K: Tensor
    rows_RD: Tensor
    rewards_KR: Tensor

    @classmethod
    def of(cls, samples: Samples, view: View, problems_P: Tensor, rewards_KPN: Tensor) -> "_Few":
        """Read the vectors of some problems."""
        graded_PN = samples.mask_PN & problems_P.to(samples.mask_PN.device)[:, None]
        rows_RD, rewards_KR = samples.vectors[view][graded_PN].double(), rewards_KPN[:, graded_PN].double()
        count = max(len(rows_RD), 1)
        mean_D, reward_K = rows_RD.sum(0) / count, rewards_KR.sum(1) / count
        return cls(mean_D, reward_K, rows_RD - mean_D, rewards_KR - reward_K[:, None])

    def solutions(self, scale_D: Tensor, l2s: Sequence[float]) -> Tensor:
        """The weights [L, K, D] of vectors divided by a scale: w = Z' a, where (Z Z' / R + l2 I) a = r / R."""
        rows_RD, count = self.rows_RD / scale_D, max(len(self.rows_RD), 1)
        dual_LRK = shifted_solutions(rows_RD @ rows_RD.T / count, self.rewards_KR.T / count, l2s)
        return dual_LRK.transpose(1, 2) @ rows_RD


def _systems(samples: Samples, view: View, train_SP: Tensor, rewards_KPN: Tensor) -> Iterator[tuple[int, _Sums | _Few]]:
    """Yield the system of each training set, with its number; only the smaller of its two matrices is ever made."""
    graded_S = train_SP.double() @ samples.mask_PN.sum(1).double().cpu()
    few_S = graded_S < samples.vectors[view].shape[-1]
    for number in few_S.nonzero().flatten().tolist():
        yield number, _Few.of(samples, view, train_SP[number], rewards_KPN)
    for family in _families(train_SP, (~few_S).nonzero().flatten().tolist()):
        patterns_FA, part_P = torch.unique(train_SP[family], dim=1, return_inverse=True)
        parts = {
            part: _Sums.of(samples, view, part_P == part, rewards_KPN)
            for part in patterns_FA.any(0).nonzero().flatten().tolist()
        }
        for number, of_set_A in zip(family, patterns_FA, strict=True):
            yield number, _Sums.joined([parts[part] for part in of_set_A.nonzero().flatten().tolist()])


def _families(train_SP: Tensor, numbers: Sequence[int]) -> Iterator[list[int]]:
    """Runs of training sets that together divide the problems into few parts, such as those of the same folds."""
    family: list[int] = []
    for number in numbers:
        if family and torch.unique(train_SP[[*family, number]], dim=1).shape[1] > MOST_PARTS:
            yield family
            family = []
        family.append(number)
    if family:
        yield family
