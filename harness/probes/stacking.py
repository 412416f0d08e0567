"""Stacked probes: a ridge probe of every layer and pooling, then a combination of them and of the features.

Which layers matter, and how much beside the features, is learnt from the scores that ridge probes give to the inner
folds they were trained without (stacked generalisation, Wolpert 1992; the ensemble of van der Laan et al. 2007). The
combination is ridge regression within problems as well, so that the result is one linear probe over all views.

Dimensions: P problems, N samples of a problem, D width, F features, L values of l2, V views, C = V + F columns that are
combined, J inner folds, K kinds of rewards, B rules of selection with S figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from harness.probes.controls import Permutation, permuted_rewards
from harness.probes.hyperparameters import Hyperparameters
from harness.probes.model_selection import Selected, select
from harness.probes.plans import STACKED, TrainingPlan
from harness.probes.probe import CLOSED_FORM, Card, Probe
from harness.probes.ridge import Deviations, ridge
from harness.probes.samples import Samples, View
from harness.probes.tasks import Fitted, Groups, Task, inner_folds, units, with_few_problems
from harness.probes.validation import selection_figures
from harness.progress import Advance, ignore

SCORES_L2, FEATURES_L2 = 0.3, 0.03
"""The l2 of the scores and of the features that are combined: features were not fitted to anything, and are few."""

CAUTION = 1.0
"""Standard errors that a gain counts less than it is: the best of a few values of l2 is hardly the best by chance."""


def is_stacked(objective: str, plan: TrainingPlan) -> bool:
    """Return True if the probe is combined from ridge probes: a combination needs inner folds."""
    return objective == STACKED and plan.inner_folds > 0 and "linear" in plan.grid.forms


def fit_stacked(
    samples: Samples, tasks: Sequence[Task], plan: TrainingPlan, groups: Groups, advance: Advance = ignore
) -> list[Fitted]:
    """Select and train the stacked probe of every task, in the order of `tasks`; l2 and rule are selected."""
    if not tasks:
        return []
    advance(0, more=len(tasks))
    plan = with_few_problems(plan, min(units(samples, task, groups) for task in tasks))
    plan = replace(plan, caution=min(plan.caution, CAUTION), leeway=0.0)
    fitted: dict[int, Fitted] = {}
    for positions in _sharing_folds(tasks):
        own = [tasks[position] for position in positions]
        folds = [inner_folds(samples, task, plan, groups) for task in own]
        bases = _train_bases(samples, own, folds, plan)
        for position, task, of_task in zip(positions, own, folds, strict=True):
            fitted[position] = _combine(samples, bases, task, of_task, plan, groups)
            advance()
    return [fitted[position] for position in range(len(tasks))]


def read_views(samples: Samples, plan: TrainingPlan) -> tuple[View, ...]:
    """Return the views that a stacked probe reads: those of the plan, or all, of the width of the first.

    Raises ProbeError for a view that the samples lack.
    """
    candidates = plan.grid.candidates(samples)
    views = tuple(dict.fromkeys(view for candidate in candidates for view in candidate.views))
    width = samples.vectors[views[0]].shape[-1]
    return tuple(view for view in views if samples.vectors[view].shape[-1] == width)


@dataclass(frozen=True)
class _Bases:
    """The ridge probes of every view, trained on S training sets, and what they make of all samples."""

    views: tuple[View, ...]
    row_of: dict[bytes, int]  # of each training set
    kind_of: dict[Permutation | None, int]  # of each permutation of the rewards
    rewards_KPN: Tensor
    weights_VSLKD: Tensor  # for the vectors without features
    scores_VSLKPN: Tensor  # as deviations from the mean of each problem
    means_VSD: Tensor  # of the vectors and features in each training set
    features_FPN: Tensor  # the mean over the views, as deviations

    def columns(self, task: Task, folds: Sequence[Tensor]) -> Tensor:
        """The columns [L, C, P, N] that are combined: scores by the probes trained without an inner fold, features."""
        scores_VLPN = torch.zeros_like(self.scores_VSLKPN[:, 0, :, 0])
        for fold_P in folds:
            of_fold_VLPN = self.scores_VSLKPN[:, self.row_of[_key(task.train_P & ~fold_P)], :, self._kind(task)]
            scores_VLPN[:, :, fold_P] = of_fold_VLPN[:, :, fold_P]
        features_LFPN = self.features_FPN.expand(scores_VLPN.shape[1], *self.features_FPN.shape)
        return torch.cat([scores_VLPN.transpose(0, 1), features_LFPN.to(scores_VLPN)], 1).double()

    def rewards(self, task: Task) -> Tensor:
        """The rewards [P, N] that the task learns from."""
        return self.rewards_KPN[self._kind(task)]

    def joined(self, task: Task, number: int, combination_C: Tensor) -> tuple[Tensor, Tensor]:
        """The weights [V, D + F] and their offsets [V] of the whole probe, with the value of l2 of that number."""
        row, features = self.row_of[_key(task.train_P)], len(self.features_FPN)
        of_views_V1, of_features_F = combination_C[: len(self.views), None], combination_C[len(self.views) :]
        vectors_VD = of_views_V1 * self.weights_VSLKD[:, row, number, self._kind(task)]
        features_VF = of_features_F.expand(len(self.views), features) / len(self.views)
        project_VD = torch.cat([vectors_VD, features_VF], 1)
        return project_VD, -(project_VD * self.means_VSD[:, row]).sum(1)

    def _kind(self, task: Task) -> int:
        return self.kind_of[task.permutation]


def _train_bases(
    samples: Samples, tasks: Sequence[Task], folds: Sequence[Sequence[Tensor]], plan: TrainingPlan
) -> _Bases:
    """Train the ridge probes of tasks that share folds, one view after the other."""
    sets: dict[bytes, Tensor] = {}
    for task, own in zip(tasks, folds, strict=True):
        sets |= {_key(train_P): train_P for train_P in (task.train_P, *(task.train_P & ~fold_P for fold_P in own))}
    train_SP, permutations = torch.stack(list(sets.values())), list(dict.fromkeys(task.permutation for task in tasks))
    rewards_KPN = torch.stack([permuted_rewards(samples, permutation) for permutation in permutations])
    views, weights, scores, means = read_views(samples, plan), [], [], []
    features_FPN = torch.zeros(samples.features, *samples.mask_PN.shape)
    for view in views:
        every = Deviations.of(samples.vectors[view], samples.mask_PN)
        vectors, features_PNF = every.split(samples.features)
        weights_SLKD = ridge(vectors, rewards_KPN, train_SP, plan.grid.ridge_l2s)
        weights.append(weights_SLKD)
        scores.append(vectors.scores(weights_SLKD))
        means.append(torch.stack([every.mean(train_P) for train_P in train_SP]).cpu())
        features_FPN += features_PNF.permute(2, 0, 1).cpu() / len(views)
    return _Bases(
        views,
        {key: row for row, key in enumerate(sets)},
        {permutation: kind for kind, permutation in enumerate(permutations)},
        rewards_KPN.cpu(),
        torch.stack(weights),
        torch.stack(scores),
        torch.stack(means),
        features_FPN,
    )


def _combine(
    samples: Samples, bases: _Bases, task: Task, folds: Sequence[Tensor], plan: TrainingPlan, groups: Groups
) -> Fitted:
    """Select l2 and rule on the inner folds, and combine what was trained on all the problems of the task."""
    mask_PN, rewards_PN = samples.mask_PN.cpu(), bases.rewards(task)
    columns_LCPN = bases.columns(task, folds)
    train_SP = torch.stack([task.train_P, *(task.train_P & ~fold_P for fold_P in folds)])
    l2_C = torch.tensor([SCORES_L2] * len(bases.views) + [FEATURES_L2] * samples.features)
    combined_LSC = torch.stack(
        [_combination(columns_CPN, rewards_PN, mask_PN, train_SP, l2_C) for columns_CPN in columns_LCPN]
    )
    curves = []
    for columns_CPN, combined_SC in zip(columns_LCPN, combined_LSC, strict=True):
        for fold_P, combined_C in zip(folds, combined_SC[1:], strict=True):
            scores_QN = torch.einsum("c,cqn->qn", combined_C, columns_CPN[:, fold_P])
            rewards_QN, mask_QN = rewards_PN[fold_P].double(), mask_PN[fold_P]
            curves.append(selection_figures(scores_QN[None], rewards_QN, mask_QN, plan.rules))
    candidates = [Hyperparameters(bases.views, "linear", l2, 0.0) for l2 in plan.grid.ridge_l2s]
    selected = select(candidates, replace(plan, inner_used=len(folds)), np.stack(curves), units(samples, task, groups))
    number = candidates.index(selected.hyperparameters)
    project_VD, offset_V = bases.joined(task, number, combined_LSC[number, 0])
    weights = {"project": project_VD[:, None].float(), "offset": offset_V[:, None].float()}
    return Fitted(task, selected, Probe(_card(task, selected, project_VD.shape[1]), weights))


def _combination(columns_CPN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, train_SP: Tensor, l2_C: Tensor) -> Tensor:
    """The weight [S, C] of each column, by training set."""
    columns = Deviations(columns_CPN.permute(1, 2, 0), mask_PN, torch.zeros(len(mask_PN), len(columns_CPN)))
    return ridge(columns, rewards_PN[None], train_SP, [l2_C])[:, 0, 0]


def _card(task: Task, selected: Selected, width: int) -> Card:
    hyperparameters = selected.hyperparameters
    return Card(
        "linear",
        hyperparameters.views,
        width,
        task.objective,
        beta=selected.temperature,
        rule=selected.rule.kind,
        k=selected.k,
        problems=int(task.train_P.sum()),
        solver=CLOSED_FORM,
        training={"l2": hyperparameters.l2, "scores_l2": SCORES_L2, "features_l2": FEATURES_L2},
    )


def _sharing_folds(tasks: Sequence[Task]) -> list[list[int]]:
    """The positions of the tasks whose inner folds are the same, or parts of the same folds."""
    positions: dict[object, list[int]] = {}
    for position, task in enumerate(tasks):
        drawn = (_key(task.train_P), task.seed)
        positions.setdefault(drawn if task.inner_P is None else _key(task.inner_P), []).append(position)
    return list(positions.values())


def _key(problems_P: Tensor) -> bytes:
    return problems_P.numpy().tobytes()
