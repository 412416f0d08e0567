"""Learning curves: the values of probes as functions of the number of training problems."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

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


def learning_curves(
    samples: Samples,
    objectives: Sequence[str],
    sizes: Sequence[int],
    *,
    folds: int = 5,
    seeds: Sequence[int] = SEEDS,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    progress: Progress = SILENT,
) -> Floats:
    """Return the expected reward [O, T, S, P] of each problem, for T sizes of the training set and every seed.

    Selection is by the rule that each probe's inner folds select. The folds are those of `cross_validate`. The training
    problems of each fold are put in one random order, and a training set is the beginning of it, so that a larger set
    contains every smaller one. Raises ProbeError for a size that a fold does not have.
    """
    plan = plan_at(plan, beta)
    values_OTSP = np.zeros((len(objectives), len(sizes), len(seeds), len(samples.problem_ids)))
    with progress.task(TRAINING, 0) as advance:
        for place, seed in enumerate(seeds):
            fold_P = assign_folds(samples.problem_ids, folds, seed, groups)
            order_P = torch.randperm(len(fold_P), generator=torch.Generator().manual_seed(seed + 1))
            for row, size in enumerate(sizes):
                train_sets = [_first(order_P, fold_P != fold, size) for fold in range(folds)]
                by_fold = [_fit_on(samples, objectives, train_P, seed, plan, groups, advance) for train_P in train_sets]
                for number, fitted in enumerate(zip(*by_fold, strict=True)):
                    values_OTSP[number, row, place] = _values(samples, fitted, fold_P, score_beta(beta))
    return values_OTSP


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
    objectives: Sequence[str],
    train_P: Tensor,
    seed: int,
    plan: TrainingPlan,
    groups: Mapping[str, int] | None,
    advance: Advance,
) -> list[Fitted]:
    """Train on the training problems alone: minibatches of all problems would rarely contain any of a small set."""
    own = samples.take(train_P.nonzero().flatten())
    everything = torch.ones(len(own.problem_ids), dtype=torch.bool)
    tasks = [Task(objective, everything, seed) for objective in objectives]
    fitted = fit(own, tasks, plan, groups, advance=advance)
    return [Fitted(replace(one.task, train_P=train_P), one.selected, one.probe) for one in fitted]
