"""Cross-validation by problem: every problem is scored by probes that were trained without any of its samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.errors import OneSidedError
from harness.probes.controls import DRAWS, Permutation, permuted_trials, random_directions
from harness.probes.folds import assign_folds
from harness.probes.model_selection import Selected
from harness.probes.nested import Fitted, Task, fit, refuse_one_sided, select_rules
from harness.probes.plans import TrainingPlan, plan_at, score_beta
from harness.probes.probe import Probe
from harness.probes.registry import DEFAULT_OBJECTIVES, find_objective
from harness.probes.samples import ProbeError, Samples
from harness.probes.training import TRAINING
from harness.progress import SILENT, Progress
from harness.stats.estimators import Floats, Ints
from harness.stats.rule_table import RuledScores
from harness.stats.summary import CONTROL, WITHIN, Control

Trial = tuple[str, Permutation | None]
"""An objective, and the permutation of the rewards it is trained on; None for the rewards themselves."""

FOLDINGS = 10
"""The default number of cross-validations, each with other folds."""

MANY_PROBLEMS = 2_000
"""The number of problems from which fewer are made: figures then hardly depend on the folds."""

FEWEST_FOLDINGS = 2
"""Fewer would not show how far figures depend on the folds."""


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
    controls: Mapping[str, Control]  # by the name of its row; those on rewards permuted among all samples must not gain
    fold_P: Tensor  # the fold in which each problem was held out
    chosen: Mapping[str, tuple[Selected, ...]]  # by objective: the result of model selection in each fold
    beta: float
    limits_OP: Ints  # the rule of selection in each problem's fold
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
    seeds: Sequence[int] = range(FOLDINGS),
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    controls: int = 0,
    controls_within: int = 0,
    progress: Progress = SILENT,
) -> list[CrossValidation]:
    """Run `cross_validate` for every seed, all trained together; a seed draws the folds and the initial weights.

    The draws of the controls, `controls_within` of them on rewards permuted within problems, are divided among the
    seeds.
    """
    plan = plan_at(plan, beta)
    for name in objectives:
        find_objective(name)
    trials = _trials(objectives, len(seeds), controls, controls_within)
    fold_SP = [assign_folds(samples.problem_ids, folds, seed, groups) for seed in seeds]
    # Where the other folds serve as inner ones, what is trained without two folds is validated on both: half the work.
    shares = plan.inner_folds == plan.inner_used == folds - 1
    tasks = [
        [
            Task(objective, fold_P != fold, seed, permutation, fold_P if shares else None)
            for objective, permutation in own
            for fold in range(folds)
        ]
        for seed, fold_P, own in zip(seeds, fold_SP, trials, strict=True)
    ]
    with progress.task(TRAINING, 0) as advance:
        fitted = iter(fit(samples, [task for own in tasks for task in own], plan, groups, advance=advance))
    results = []
    for fold_P, own in zip(fold_SP, trials, strict=True):
        by_trial = {trial: [next(fitted) for _ in range(folds)] for trial in own}
        results.append(_assemble(samples, objectives, fold_P, by_trial, score_beta(beta)))
    return results


def default_foldings(problems: int) -> int:
    """Return the default number of cross-validations: ten, fewer with more than 2,000 problems, and two at least."""
    return max(FEWEST_FOLDINGS, min(FOLDINGS, FOLDINGS * MANY_PROBLEMS // max(problems, 1)))


def usable_seeds(
    samples: Samples, folds: int, seeds: Sequence[int], groups: Mapping[str, int] | None = None
) -> list[int]:
    """Return the seeds whose training problems have a pass and a failure in every fold; all of them where none does.

    With few problems a draw of the folds may leave one without: the others still serve.
    """
    usable = [seed for seed in seeds if _is_usable(samples, assign_folds(samples.problem_ids, folds, seed, groups))]
    return usable or list(seeds)


def _is_usable(samples: Samples, fold_P: Tensor) -> bool:
    try:
        for fold in range(int(fold_P.max()) + 1):
            refuse_one_sided(samples, fold_P != fold)
    except OneSidedError:
        return False
    return True


def _trials(objectives: Sequence[str], seeds: int, controls: int, within: int) -> list[list[Trial]]:
    """The trials of each seed: every objective, and its part of the controls; an objective's are with several seeds."""
    trials: list[list[Trial]] = [[(name, None) for name in objectives] for _ in range(seeds)]
    for draws in (permuted_trials(objectives, controls), permuted_trials(objectives, within, within=True)):
        for number, draw in enumerate(draws):
            trials[number // len(objectives) % seeds].append(draw)
    return trials


def _assemble(
    samples: Samples,
    objectives: Sequence[str],
    fold_P: Tensor,
    by_trial: Mapping[Trial, Sequence[Fitted]],
    beta: float,
) -> CrossValidation:
    """The cross-validation of one seed."""
    scores = {trial: held_out_scores(samples, fitted, fold_P, beta) for trial, fitted in by_trial.items()}
    limits = {trial: limits_of([one.selected for one in fitted], fold_P) for trial, fitted in by_trial.items()}
    controls = {}
    for name, within in ((CONTROL, False), (WITHIN, True)):
        own = [trial for trial in by_trial if trial[1] is not None and trial[1].within == within]
        controls[name] = Control(
            _stacked([scores[trial].numpy() for trial in own], samples.mask_PN.shape),
            np.array([limits[trial] for trial in own], dtype=np.int64).reshape(-1, len(fold_P)),
            tuple(objective for objective, _ in own),
        )
    return CrossValidation(
        samples.problem_ids,
        tuple(objectives),
        torch.stack([scores[name, None] for name in objectives]),
        controls,
        fold_P,
        {name: tuple(fitted.selected for fitted in by_trial[name, None]) for name in objectives},
        beta,
        np.stack([limits[name, None] for name in objectives]),
        samples.without_signal(),
    )


def _stacked(scores: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    return np.stack(scores) if scores else np.zeros((0, *shape))


def limits_of(selected: Sequence[Selected], fold_P: Tensor) -> Ints:
    """Return the limit [P] of the rule that was selected in each problem's fold."""
    return np.array([selected[fold].rule.limit for fold in fold_P.tolist()], dtype=np.int64)


def joined_controls(results: Sequence[CrossValidation]) -> dict[str, Control]:
    """Return the draws of each control in all cross-validations."""
    joined = {}
    for name in results[0].controls:
        parts = [result.controls[name] for result in results]
        limits = [part.limits_CP for part in parts if part.limits_CP is not None]
        objectives = tuple(objective for part in parts for objective in part.objectives)
        joined[name] = Control(np.concatenate([part.scores_CPN for part in parts]), np.concatenate(limits), objectives)
    return joined


def random_control(
    samples: Samples,
    fold_SP: Sequence[Tensor],
    seeds: Sequence[int],
    *,
    beta: float | None = None,
    plan: TrainingPlan | str = "nested",
    groups: Mapping[str, int] | None = None,
    draws: int = DRAWS,
) -> Control:
    """Return random directions, with the rule of selection that the inner folds select for each as for a probe.

    The draws are divided among the cross-validations.
    """
    plan = plan_at(plan, beta)
    scores_CPN = random_directions(samples, draws, seed=seeds[0])
    limits_CP = np.zeros((draws, len(samples.problem_ids)), dtype=np.int64)
    for number, (seed, fold_P) in enumerate(zip(seeds, fold_SP, strict=True)):
        draws_M = torch.arange(number, draws, len(seeds))
        own_MPN = scores_CPN[draws_M].clone()
        for fold in range(int(fold_P.max()) + 1) if len(draws_M) else ():
            chosen = select_rules(samples, own_MPN, Task("", fold_P != fold, seed), plan, groups)
            here_P = fold_P == fold
            for draw, selected in zip(draws_M.tolist(), chosen, strict=True):
                scores_CPN[draw, here_P] *= rescale(score_beta(beta), selected)
                limits_CP[draw, here_P.numpy()] = selected.rule.limit
    return Control(scores_CPN.numpy(), limits_CP)


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
