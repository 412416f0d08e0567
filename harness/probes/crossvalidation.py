"""Cross-validation by problem: every problem is scored by probes that were trained without any of its samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.probes.controls import DRAWS, permuted_trials
from harness.probes.folds import assign_folds
from harness.probes.model_selection import Selected
from harness.probes.nested import Fitted, Task, fit
from harness.probes.plans import TrainingPlan, plan_at, score_beta
from harness.probes.probe import Probe
from harness.probes.registry import DEFAULT_OBJECTIVES, find_objective
from harness.probes.samples import ProbeError, Samples
from harness.probes.training import TRAINING
from harness.progress import SILENT, Progress
from harness.stats.estimators import Ints
from harness.stats.rule_table import RuledScores

Trial = tuple[str, int | None]
"""An objective, and the seed of the permutation of the rewards it is trained on; None for the rewards themselves."""


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold scores of every objective, and the selection behind them.

    Softmax selection at `beta` on these scores is selection at the temperature selected in each fold: the scores of a
    fold are multiplied by beta / temperature, which changes no ranking within a problem. `limits_OP` holds the rule
    that each fold found best, for `harness.stats.selection_by_limits`.
    """

    problem_ids: tuple[str, ...]
    objectives: tuple[str, ...]
    scores_OPN: Tensor  # float64; 0 outside the samples' mask
    control_CPN: Tensor  # control: the objectives in turn on rewards permuted among all samples, C times; must not gain
    fold_P: Tensor  # the fold in which each problem was held out
    chosen: Mapping[str, tuple[Selected, ...]]  # by objective: the result of model selection in each fold
    beta: float
    limits_OP: Ints  # the rule of selection in each problem's fold
    control_limits_CP: Ints  # likewise for the control
    without_signal: int  # problems whose samples all pass or all fail; they stay in every average

    def ruled(self, objective: str) -> RuledScores:
        """One objective's scores with the parameters of its rules."""
        ks = [selected.k for selected in self.chosen[objective]]
        among_P = None if None in ks else np.array(ks)[self.fold_P.numpy()]
        beta = self.beta if self.chosen[objective][0].temperature else 0.0
        return RuledScores(self.scores_of(objective).numpy(), beta, among_P)

    def scores_of(self, objective: str) -> Tensor:
        """One objective's out-of-fold scores [P, N]."""
        return self.scores_OPN[self.objectives.index(objective)]


def cross_validate(
    samples: Samples,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    folds: int = 5,
    seed: int = 0,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    controls: int = DRAWS,
    progress: Progress = SILENT,
) -> CrossValidation:
    """Train every objective on all folds but one, for each fold, and score the held-out fold.

    `beta` is the temperature of softmax selection, 0 for the arg max; None leaves the rule to the inner folds. `plan`
    is the name of a preset or a TrainingPlan; `groups` numbers near-duplicate problems, which then share a
    fold; `controls` is the number of draws of the shuffled-label control. Raises ProbeError for too few problems, an
    unknown objective, and training problems without a pass or without a failure.
    """
    return cross_validations(
        samples,
        objectives,
        folds=folds,
        seeds=[seed],
        beta=beta,
        plan=plan,
        groups=groups,
        controls=controls,
        progress=progress,
    )[0]


def cross_validations(
    samples: Samples,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    folds: int = 5,
    seeds: Sequence[int] = range(10),
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    controls: int = 0,
    progress: Progress = SILENT,
) -> list[CrossValidation]:
    """Run `cross_validate` for every seed, all trained together; a seed draws the folds and the initial weights."""
    plan = plan_at(plan, beta)
    for name in objectives:
        find_objective(name)
    trials: list[Trial] = [(name, None) for name in objectives]
    trials += permuted_trials(objectives, controls)
    fold_SP = {seed: assign_folds(samples.problem_ids, folds, seed, groups) for seed in seeds}
    # Where the other folds serve as inner ones, what is trained without two folds is validated on both: half the work.
    shares = plan.inner_folds == plan.inner_used == folds - 1
    tasks = [
        Task(objective, fold_SP[seed] != fold, seed, permutation, fold_SP[seed] if shares else None)
        for seed in seeds
        for objective, permutation in trials
        for fold in range(folds)
    ]
    with progress.task(TRAINING, 0) as advance:
        fitted = iter(fit(samples, tasks, plan, groups, advance=advance))
    results = []
    for seed in seeds:
        by_trial = {trial: [next(fitted) for _ in range(folds)] for trial in trials}
        results.append(_assemble(samples, objectives, fold_SP[seed], by_trial, score_beta(beta)))
    return results


def _assemble(
    samples: Samples,
    objectives: Sequence[str],
    fold_P: Tensor,
    by_trial: Mapping[Trial, Sequence[Fitted]],
    beta: float,
) -> CrossValidation:
    """The cross-validation of one seed."""
    scores = {trial: held_out_scores(samples, fitted, fold_P, beta) for trial, fitted in by_trial.items()}
    control = [scores_PN for (_, permutation), scores_PN in scores.items() if permutation is not None]
    return CrossValidation(
        samples.problem_ids,
        tuple(objectives),
        torch.stack([scores[name, None] for name in objectives]),
        torch.stack(control) if control else torch.zeros(0, *samples.mask_PN.shape, dtype=torch.float64),
        fold_P,
        {name: tuple(fitted.selected for fitted in by_trial[name, None]) for name in objectives},
        beta,
        np.stack([_limits(by_trial[name, None], fold_P) for name in objectives]),
        np.array([_limits(by_trial[trial], fold_P) for trial in scores if trial[1] is not None]).reshape(
            -1, len(fold_P)
        ),
        samples.without_signal(),
    )


def _limits(fitted: Sequence[Fitted], fold_P: Tensor) -> Ints:
    """The limit [P] of the rule that was selected in each problem's fold."""
    return np.array([fitted[fold].selected.rule.limit for fold in fold_P.tolist()], dtype=np.int64)


def held_out_scores(samples: Samples, fitted: Sequence[Fitted], fold_P: Tensor, beta: float) -> Tensor:
    """Return the scores [P, N] of every problem by the probe of its fold, for softmax selection at `beta`.

    Raises ProbeError where a probe learnt from a problem that it is to score: that is a leak.
    """
    scores_PN = torch.zeros(samples.mask_PN.shape, dtype=torch.float64)
    for fold, result in enumerate(fitted):
        problems_Q = (fold_P == fold).nonzero().flatten()
        if bool(result.task.train_P[problems_Q].any()):
            raise ProbeError(f"The probe of fold {fold} learnt from problems that it is to be tested on.")
        scores_PN[problems_Q] = scores_of(samples, result.probe, problems_Q) * rescale(beta, result.selected)
    return scores_PN.masked_fill(~samples.mask_PN.cpu(), 0.0)


def rescale(beta: float, selected: Selected) -> float:
    """The factor of scores that makes selection at `beta` selection at the selected temperature, if there is one."""
    return beta / selected.temperature if selected.temperature else 1.0


def scores_of(samples: Samples, probe: Probe, problems_Q: Tensor, at_once: int = 32) -> Tensor:
    """Return the scores [Q, N] of all samples of some problems by one probe, float64 on the CPU.

    Raises ProbeError where the samples lack a view that the probe reads.
    """
    if absent := [str(view) for view in probe.card.views if view not in samples.vectors]:
        raise ProbeError(f"The probe reads layer {', '.join(absent)}, of which the samples have no vectors.")
    problems_Q = problems_Q.to(samples.mask_PN.device)
    scores = [torch.zeros(0, samples.mask_PN.shape[1], dtype=torch.float64)]
    for start in range(0, len(problems_Q), at_once):
        chunk = problems_Q[start : start + at_once]
        scores.append(probe([samples.vectors[view][chunk] for view in probe.card.views]).double().cpu())
    return torch.cat(scores)
