"""Training on some problems and testing on others: the paper's protocol, and transfer to other benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.probes.controls import DRAWS
from harness.probes.crossvalidation import rescale, scores_of
from harness.probes.model_selection import Selected
from harness.probes.nested import Fitted, Task, fit
from harness.probes.plans import TrainingPlan, find_plan, refuse_temperature
from harness.probes.probe import Probe
from harness.probes.registry import DEFAULT_OBJECTIVES, find_objective
from harness.probes.samples import ProbeError, Samples


@dataclass(frozen=True)
class Transfer:
    """What probes trained on one set of problems make of others."""

    objectives: tuple[str, ...]
    probes: Mapping[str, Probe]  # by objective
    chosen: Mapping[str, Selected]  # what nested selection on the training problems chose
    scores_OPN: Mapping[str, Tensor]  # by name of the test set: float64, for softmax selection at `beta`; 0 when masked
    control_CPN: Mapping[str, Tensor]  # by name of the test set: the first objective on rewards permuted anew, C times
    beta: float


def train_and_test(
    train: Samples,
    tests: Mapping[str, Samples],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    seed: int = 0,
    beta: float = 0.1,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    controls: int = DRAWS,
) -> Transfer:
    """Train on all of `train`, score every set of `tests`.

    Raises ProbeError where a test set shares a problem with the training set, or lacks a view that a probe reads.
    """
    refuse_temperature(beta)
    for name, test in tests.items():
        if shared := set(train.problem_ids) & set(test.problem_ids):
            raise ProbeError(
                f"{name} shares {len(shared)} problems with the training set, such as {min(shared)}: other samples of "
                "the same problems are no test, so split by problem, or cross-validate with qprobe probe"
            )
    fitted = _fit_all(train, objectives, controls, seed, plan, groups)
    probes, permuted = fitted[: len(objectives)], fitted[len(objectives) :]
    return Transfer(
        tuple(objectives),
        {result.task.objective: result.probe for result in probes},
        {result.task.objective: result.choice for result in probes},
        {name: _scores(test, probes, beta) for name, test in tests.items()},
        {name: _scores(test, permuted, beta) for name, test in tests.items()},
        beta,
    )


def train_probes(
    samples: Samples,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    seed: int = 0,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
) -> dict[str, Probe]:
    """A probe for each objective from all the problems, for use on new ones; cross-validation says what it is worth."""
    return {result.task.objective: result.probe for result in _fit_all(samples, objectives, 0, seed, plan, groups)}


def _fit_all(
    samples: Samples,
    objectives: Sequence[str],
    controls: int,
    seed: int,
    plan: TrainingPlan | str,
    groups: Mapping[str, int] | None,
) -> list[Fitted]:
    for name in objectives:
        find_objective(name)
    everything_P = torch.ones(len(samples.problem_ids), dtype=torch.bool)
    tasks = [Task(name, everything_P, seed) for name in objectives]
    tasks += [Task(objectives[0], everything_P, seed, permutation) for permutation in range(controls)]
    digest = samples.digest()
    fitted = fit(samples, tasks, find_plan(plan) if isinstance(plan, str) else plan, groups)
    return [replace(one, probe=replace(one.probe, card=replace(one.probe.card, data=digest))) for one in fitted]


def _scores(samples: Samples, fitted: Sequence[Fitted], beta: float) -> Tensor:
    every_P = torch.arange(len(samples.problem_ids))
    scores = [torch.zeros(0, *samples.mask_PN.shape, dtype=torch.float64)]
    scores += [(scores_of(samples, one.probe, every_P) * rescale(beta, one.choice))[None] for one in fitted]
    return torch.cat(scores).masked_fill(~samples.mask_PN.cpu(), 0.0)
