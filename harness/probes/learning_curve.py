"""The learning curve: what a probe gains from how many training problems."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.probes.crossvalidation import held_out_scores
from harness.probes.folds import assign_folds
from harness.probes.nested import Fitted, Task, fit
from harness.probes.plans import TrainingPlan, find_plan
from harness.probes.samples import ProbeError, Samples


def learning_curve(
    samples: Samples,
    objective: str,
    sizes: Sequence[int],
    *,
    folds: int = 5,
    seed: int = 0,
    beta: float = 0.1,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
) -> Tensor:
    """Out-of-fold scores [S, P, N] from S sizes of training set, for softmax selection at `beta`.

    The folds are those of `cross_validate`; of each fold's training problems the first so many in a random order are
    learnt from, so that a larger set holds every smaller one. Raises ProbeError for a size that a fold does not have.
    """
    plan = find_plan(plan) if isinstance(plan, str) else plan
    fold_P = assign_folds(samples.problem_ids, folds, seed, groups)
    order_P = torch.randperm(len(fold_P), generator=torch.Generator().manual_seed(seed + 1))
    scores = []
    for size in sizes:
        chosen = [_first(order_P, fold_P != fold, size) for fold in range(folds)]
        fitted = [_fit_on(samples, objective, train_P, seed, plan, groups) for train_P in chosen]
        scores.append(held_out_scores(samples, fitted, fold_P, beta))
    return torch.stack(scores)


def _first(order_P: Tensor, train_P: Tensor, size: int) -> Tensor:
    """The first so many training problems of that order, as a mask [P]."""
    chosen = order_P[train_P[order_P]][:size]
    if len(chosen) < size:
        raise ProbeError(f"a fold has {len(chosen)} training problems, not {size}")
    return torch.zeros_like(train_P).index_fill(0, chosen, True)


def _fit_on(
    samples: Samples, objective: str, train_P: Tensor, seed: int, plan: TrainingPlan, groups: Mapping[str, int] | None
) -> Fitted:
    """A probe trained as if there were no other problems: a small set in everybody's batches would hardly be met."""
    own = samples.take(train_P.nonzero().flatten())
    everything = torch.ones(len(own.problem_ids), dtype=torch.bool)
    (result,) = fit(own, [Task(objective, everything, seed)], plan, groups)
    return Fitted(Task(objective, train_P, seed), result.choice, result.probe)
