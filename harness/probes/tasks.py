"""Tasks: probes to be selected and trained, and the inner folds on which each is selected."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.probes.controls import Permutation
from harness.probes.folds import assign_folds
from harness.probes.model_selection import Selected
from harness.probes.plans import TrainingPlan
from harness.probes.probe import Probe
from harness.probes.samples import ProbeError, Samples

Groups = Mapping[str, int] | None
"""A number for each problem; near-duplicates share one and must not be separated. None: no problems are alike."""


@dataclass(frozen=True)
class Task:
    """One probe to be selected and trained."""

    objective: str
    train_P: Tensor  # bool: the problems it may learn from
    seed: int = 0
    permutation: Permutation | None = None  # of the rewards it learns from, for a control
    inner_P: Tensor | None = None  # the inner fold of each problem, if it is not to be drawn


@dataclass(frozen=True)
class Fitted:
    """The probe of a task, and the result of its selection."""

    task: Task
    selected: Selected
    probe: Probe


def units(samples: Samples, task: Task, groups: Groups) -> int:
    """Return the number of training problems, or groups of near-duplicates, that can be assigned to inner folds."""
    names, group_of = (samples.problem_ids[position] for position in task.train_P.nonzero()), groups or {}
    return len({group_of.get(name, name) for name in names})


def with_few_problems(plan: TrainingPlan, problems: int) -> TrainingPlan:
    """Return the plan with no more inner folds than training problems. Raises ProbeError where there are not two."""
    if problems < 2:
        raise ProbeError("One training problem leaves none for validation: use more problems or fewer folds.")
    inner_folds = min(plan.inner_folds, problems)
    return replace(plan, inner_folds=inner_folds, inner_used=min(plan.inner_used, inner_folds))


def inner_folds(samples: Samples, task: Task, plan: TrainingPlan, groups: Groups) -> list[Tensor]:
    """Return the training problems held out for validation, [P] for each inner fold that is used."""
    if task.inner_P is not None:
        return [task.train_P & (task.inner_P == fold) for fold in sorted(set(task.inner_P[task.train_P].tolist()))]
    problems_T = task.train_P.nonzero().flatten()
    fold_T = assign_folds([samples.problem_ids[i] for i in problems_T.tolist()], plan.inner_folds, task.seed, groups)
    folds = []
    for fold in range(plan.inner_used):
        held_out_P = torch.zeros_like(task.train_P)
        held_out_P[problems_T[fold_T == fold]] = True
        folds.append(held_out_P)
    return folds
