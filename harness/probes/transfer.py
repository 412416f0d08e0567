"""Training on one set of problems and testing on others: the paper's protocol, and transfer to other benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from harness.probes.controls import DRAWS, permuted_trials, random_directions
from harness.probes.crossvalidation import rescale, scores_of
from harness.probes.model_selection import Selected
from harness.probes.nested import Fitted, Task, fit, select_rules
from harness.probes.plans import TrainingPlan, find_plan, plan_at, score_beta
from harness.probes.probe import Probe
from harness.probes.registry import DEFAULT_OBJECTIVES, find_objective
from harness.probes.samples import ProbeError, Samples
from harness.probes.training import TRAINING
from harness.progress import SILENT, Progress
from harness.stats.estimators import Ints
from harness.stats.summary import Control


@dataclass(frozen=True)
class Transfer:
    """Probes trained on one set of problems, and their scores on others."""

    objectives: tuple[str, ...]
    probes: Mapping[str, Probe]  # by objective
    chosen: Mapping[str, Selected]  # by objective: the result of model selection on the training problems
    scores_OPN: Mapping[str, Tensor]  # by test set: float64, for softmax selection at `beta`; 0 outside the mask
    control_CPN: Mapping[str, Tensor]  # by test set: the objectives in turn on permuted rewards, C times
    beta: float
    limits_O: Ints  # the rule of selection of each probe, for `harness.stats.selection_by_limits`
    control_limits_C: Ints


def train_and_test(
    train: Samples,
    tests: Mapping[str, Samples],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    seed: int = 0,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    controls: int = DRAWS,
    progress: Progress = SILENT,
) -> Transfer:
    """Train on all of `train`, and score every set of `tests`.

    Raises ProbeError where a test set shares a problem with the training set, or lacks a view that a probe reads.
    """
    plan = plan_at(plan, beta)
    scale = score_beta(beta)
    for name, test in tests.items():
        if shared := set(train.problem_ids) & set(test.problem_ids):
            raise ProbeError(
                f"Test set {name} shares {len(shared)} problems with the training set, such as {min(shared)}: other "
                "samples of the same problems are not a test, so split by problem, or cross-validate with qprobe probe."
            )
    fitted = _fit_all(train, objectives, controls, seed, plan, groups, progress)
    trained, permuted = fitted[: len(objectives)], fitted[len(objectives) :]
    return Transfer(
        tuple(objectives),
        {result.task.objective: result.probe for result in trained},
        {result.task.objective: result.selected for result in trained},
        {name: _scores(test, trained, scale) for name, test in tests.items()},
        {name: _scores(test, permuted, scale) for name, test in tests.items()},
        scale,
        np.array([one.selected.rule.limit for one in trained]),
        np.array([one.selected.rule.limit for one in permuted]),
    )


def random_transfer(
    train: Samples,
    test: Samples,
    *,
    seed: int = 0,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
) -> Control:
    """Return the scores of a test set by random directions, whose rules are selected on the training problems."""
    plan = plan_at(plan, beta)
    everything_P = torch.ones(len(train.problem_ids), dtype=torch.bool)
    chosen = select_rules(train, random_directions(train), Task("", everything_P, seed), plan, groups)
    scales_C = torch.tensor([rescale(score_beta(beta), selected) for selected in chosen], dtype=torch.float64)
    limits_C = np.array([selected.rule.limit for selected in chosen])
    scores_CPN = (random_directions(test) * scales_C[:, None, None]).numpy()
    return Control(scores_CPN, np.repeat(limits_C[:, None], len(test.problem_ids), axis=1))


def train_probes(
    samples: Samples,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    seed: int = 0,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    progress: Progress = SILENT,
) -> dict[str, Probe]:
    """Train one probe per objective on all the problems, for use on new ones; cross-validation estimates its value."""
    fitted = _fit_all(samples, objectives, 0, seed, plan_at(plan, beta), groups, progress)
    return {result.task.objective: result.probe for result in fitted}


def _fit_all(
    samples: Samples,
    objectives: Sequence[str],
    controls: int,
    seed: int,
    plan: TrainingPlan | str,
    groups: Mapping[str, int] | None,
    progress: Progress,
) -> list[Fitted]:
    """Fit every objective on all problems, then the controls."""
    for name in objectives:
        find_objective(name)
    plan = find_plan(plan) if isinstance(plan, str) else plan
    everything_P = torch.ones(len(samples.problem_ids), dtype=torch.bool)
    tasks = [Task(name, everything_P, seed) for name in objectives]
    tasks += [
        Task(name, everything_P, seed, permutation) for name, permutation in permuted_trials(objectives, controls)
    ]
    digest = samples.digest()
    with progress.task(TRAINING, 0) as advance:
        fitted = fit(samples, tasks, plan, groups, advance=advance)
    return [replace(one, probe=replace(one.probe, card=replace(one.probe.card, data=digest))) for one in fitted]


def _scores(samples: Samples, fitted: Sequence[Fitted], beta: float) -> Tensor:
    """The scores [F, P, N] of all samples by every probe."""
    all_P = torch.arange(len(samples.problem_ids))
    scores = [torch.zeros(0, *samples.mask_PN.shape, dtype=torch.float64)]
    scores += [(scores_of(samples, one.probe, all_P) * rescale(beta, one.selected))[None] for one in fitted]
    return torch.cat(scores).masked_fill(~samples.mask_PN.cpu(), 0.0)
