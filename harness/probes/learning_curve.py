"""The learning curve: the value of a probe as a function of the number of training problems."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from harness.probes.crossvalidation import held_out_scores, limits_of
from harness.probes.folds import assign_folds
from harness.probes.nested import Fitted, Task, fit
from harness.probes.plans import TrainingPlan, plan_at, score_beta
from harness.probes.samples import ProbeError, Samples
from harness.probes.training import TRAINING
from harness.progress import SILENT, Advance, Progress
from harness.stats.estimators import Floats
from harness.stats.rules import selection_by_limits

SEEDS = range(3)


def learning_curve(
    samples: Samples,
    objective: str,
    sizes: Sequence[int],
    *,
    folds: int = 5,
    seeds: Sequence[int] = SEEDS,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    progress: Progress = SILENT,
) -> Floats:
    """Return the expected reward [T, S, P] of each problem, for T sizes of the training set and every seed.

    Selection is by the rule that each probe's inner folds select. The folds are those of `cross_validate`. The training
    problems of each fold are put in one random order, and a training set is the beginning of it, so that a larger set
    contains every smaller one. Raises ProbeError for a size that a fold does not have.
    """
    plan = plan_at(plan, beta)
    values_TSP = np.zeros((len(sizes), len(seeds), len(samples.problem_ids)))
    with progress.task(TRAINING, 0) as advance:
        for place, seed in enumerate(seeds):
            fold_P = assign_folds(samples.problem_ids, folds, seed, groups)
            order_P = torch.randperm(len(fold_P), generator=torch.Generator().manual_seed(seed + 1))
            for row, size in enumerate(sizes):
                train_sets = [_first(order_P, fold_P != fold, size) for fold in range(folds)]
                fitted = [_fit_on(samples, objective, train_P, seed, plan, groups, advance) for train_P in train_sets]
                values_TSP[row, place] = _values(samples, fitted, fold_P, score_beta(beta))
    return values_TSP


def _values(samples: Samples, fitted: Sequence[Fitted], fold_P: Tensor, beta: float) -> Floats:
    """The expected reward [P] of each problem by the probe of its fold."""
    scores_PN = held_out_scores(samples, fitted, fold_P, beta).numpy()
    rewards_PN, mask_PN = samples.rewards_PN.double().cpu().numpy(), samples.mask_PN.cpu().numpy()
    limits_P = limits_of([one.selected for one in fitted], fold_P)
    return selection_by_limits(scores_PN, rewards_PN, mask_PN, beta, limits_P)


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
