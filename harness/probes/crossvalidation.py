"""Cross-validation by problem: every problem is scored by probes that never saw any of its samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.probes.controls import DRAWS
from harness.probes.folds import assign_folds
from harness.probes.model_selection import Selected
from harness.probes.nested import Fitted, Task, fit
from harness.probes.plans import TrainingPlan, find_plan, refuse_temperature
from harness.probes.probe import Probe
from harness.probes.registry import DEFAULT_OBJECTIVES, find_objective
from harness.probes.samples import ProbeError, Samples


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold scores of every objective, and how they came about.

    Scores are such that softmax selection at `beta` is selection at the temperature chosen for each fold: those of a
    fold are multiplied by beta / temperature, which changes no ranking within a problem.
    """

    problem_ids: tuple[str, ...]
    objectives: tuple[str, ...]
    scores_OPN: Tensor  # float64; 0 outside the samples' mask
    control_CPN: Tensor  # the first objective on rewards permuted anew among all samples, C times: it must not gain
    fold_P: Tensor  # the fold in which each problem was held out
    chosen: Mapping[str, tuple[Selected, ...]]  # for each objective, what was chosen in each fold
    beta: float
    without_signal: int  # problems all of whose samples pass, or fail: they rank nothing, and stay in every average

    def scores_of(self, objective: str) -> Tensor:
        """One objective's out-of-fold scores."""
        return self.scores_OPN[self.objectives.index(objective)]


def cross_validate(
    samples: Samples,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    folds: int = 5,
    seed: int = 0,
    beta: float = 0.1,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    controls: int = DRAWS,
) -> CrossValidation:
    """Train every objective on all folds but one, for each fold, and score the fold left out.

    `plan` is a preset's name or a plan of one's own; `groups` numbers near-duplicate problems, which then share a
    fold; `controls` is how often the shuffled-label control is drawn. Raises ProbeError for too few problems, an
    unknown objective, and training problems without a pass or without a failure.
    """
    return cross_validations(
        samples, objectives, folds=folds, seeds=[seed], beta=beta, plan=plan, groups=groups, controls=controls
    )[0]


def cross_validations(
    samples: Samples,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    folds: int = 5,
    seeds: Sequence[int] = range(10),
    beta: float = 0.1,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    controls: int = 0,
) -> list[CrossValidation]:
    """`cross_validate` once for each seed, all trained together; a seed draws the folds and the first weights."""
    plan = find_plan(plan) if isinstance(plan, str) else plan
    refuse_temperature(beta)
    for name in objectives:
        find_objective(name)
    permutations: list[tuple[str, int | None]] = [(name, None) for name in objectives]
    permutations += [(objectives[0], permutation) for permutation in range(controls)]
    fold_SP = {seed: assign_folds(samples.problem_ids, folds, seed, groups) for seed in seeds}
    tasks = [
        Task(name, fold_SP[seed] != fold, seed, permutation)
        for seed in seeds
        for name, permutation in permutations
        for fold in range(folds)
    ]
    fitted = iter(fit(samples, tasks, plan, groups))
    results = []
    for seed in seeds:
        by_permutation = {permutation: [next(fitted) for _ in range(folds)] for permutation in permutations}
        results.append(_assemble(samples, objectives, fold_SP[seed], by_permutation, beta))
    return results


def _assemble(
    samples: Samples,
    objectives: Sequence[str],
    fold_P: Tensor,
    by_permutation: Mapping[tuple[str, int | None], list[Fitted]],
    beta: float,
) -> CrossValidation:
    scores = {
        permutation: held_out_scores(samples, fitted, fold_P, beta) for permutation, fitted in by_permutation.items()
    }
    control = [scores_PN for (_, permutation), scores_PN in scores.items() if permutation is not None]
    return CrossValidation(
        samples.problem_ids,
        tuple(objectives),
        torch.stack([scores[name, None] for name in objectives]),
        torch.stack(control) if control else torch.zeros(0, *samples.mask_PN.shape, dtype=torch.float64),
        fold_P,
        {name: tuple(fitted.choice for fitted in by_permutation[name, None]) for name in objectives},
        beta,
        samples.without_signal(),
    )


def held_out_scores(samples: Samples, fitted: Sequence[Fitted], fold_P: Tensor, beta: float) -> Tensor:
    """The scores [P, N] of every problem by the probe of its own fold, for softmax selection at `beta`.

    Raises ProbeError where a probe learnt from a problem it is to score: that is a leak, whoever made the folds.
    """
    scores_PN = torch.zeros(samples.mask_PN.shape, dtype=torch.float64)
    for fold, result in enumerate(fitted):
        problems_Q = (fold_P == fold).nonzero().flatten()
        if bool(result.task.train_P[problems_Q].any()):
            raise ProbeError(f"the probe of fold {fold} learnt from problems it is to be tested on")
        scores_PN[problems_Q] = scores_of(samples, result.probe, problems_Q) * rescale(beta, result.choice)
    return scores_PN.masked_fill(~samples.mask_PN.cpu(), 0.0)


def rescale(beta: float, choice: Selected) -> float:
    """What scores are multiplied by so that selection at `beta` is at the chosen temperature; at 0, order is all."""
    return beta / choice.temperature if beta else 1.0


def scores_of(samples: Samples, probe: Probe, problems_Q: Tensor, at_once: int = 32) -> Tensor:
    """The scores [Q, N] of all samples of some problems by one probe, float64 on the CPU.

    Raises ProbeError where the samples lack a view that the probe reads.
    """
    if absent := [str(view) for view in probe.card.views if view not in samples.vectors]:
        raise ProbeError(f"the probe reads layer {', '.join(absent)}, of which the samples have no vectors")
    problems_Q = problems_Q.to(samples.mask_PN.device)
    scores = [torch.zeros(0, samples.mask_PN.shape[1], dtype=torch.float64)]
    for start in range(0, len(problems_Q), at_once):
        chunk = problems_Q[start : start + at_once]
        scores.append(probe([samples.vectors[view][chunk] for view in probe.card.views]).double().cpu())
    return torch.cat(scores)
