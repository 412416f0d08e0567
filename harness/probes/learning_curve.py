"""The learning curve: the value of a probe as a function of the number of training problems."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.probes.crossvalidation import held_out_scores
from harness.probes.folds import assign_folds
from harness.probes.nested import Fitted, Task, fit
from harness.probes.plans import TrainingPlan, plan_at, score_beta
from harness.probes.samples import ProbeError, Samples
from harness.probes.training import TRAINING
from harness.progress import SILENT, Advance, Progress


def learning_curve(
    samples: Samples,
    objective: str,
    sizes: Sequence[int],
    *,
    folds: int = 5,
    seed: int = 0,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Return out-of-fold scores [S, P, N] for S sizes of the training set, for softmax selection at `beta`.

    The folds are those of `cross_validate`. The training problems of each fold are put in one random order, and a
    training set is the beginning of it, so that a larger set contains every smaller one. Raises ProbeError for a size
    that a fold does not have.
    """
    plan = plan_at(plan, beta)
    fold_P = assign_folds(samples.problem_ids, folds, seed, groups)
    order_P = torch.randperm(len(fold_P), generator=torch.Generator().manual_seed(seed + 1))
    scores = []
    with progress.task(TRAINING, 0) as advance:
        for size in sizes:
            train_sets = [_first(order_P, fold_P != fold, size) for fold in range(folds)]
            fitted = [_fit_on(samples, objective, train_P, seed, plan, groups, advance) for train_P in train_sets]
            scores.append(held_out_scores(samples, fitted, fold_P, score_beta(beta)))
    return torch.stack(scores)


def _first(order_P: Tensor, train_P: Tensor, size: int) -> Tensor:
    """The first `size` training problems in that order, as a mask [P]."""
    first = order_P[train_P[order_P]][:size]
    if len(first) < size:
        raise ProbeError(f"A fold has {len(first)} training problems, not {size}.")
    return torch.zeros_like(train_P).index_fill(0, first, True)


def _fit_on(
    samples: Samples,
    objective: str,
    train_P: Tensor,
    seed: int,
    plan: TrainingPlan,
    groups: Mapping[str, int] | None,
    advance: Advance,
) -> Fitted:
    """Train on the training problems alone: minibatches of all problems would rarely contain any of a small set."""
    own = samples.take(train_P.nonzero().flatten())
    everything = torch.ones(len(own.problem_ids), dtype=torch.bool)
    (result,) = fit(own, [Task(objective, everything, seed)], plan, groups, advance=advance)
    return Fitted(Task(objective, train_P, seed), result.selected, result.probe)
