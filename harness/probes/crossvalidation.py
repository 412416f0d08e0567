"""Cross-validation by problem: every problem is scored by probes that never saw any of its samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.probes.folds import assign_folds
from harness.probes.registry import find_objective
from harness.probes.samples import ProbeError, Samples
from harness.probes.training import Member, Schedule, Setting, Trained, train


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold scores of every objective, and how they came about."""

    problem_ids: tuple[str, ...]
    objectives: tuple[str, ...]
    scores_OPN: Tensor  # float64; 0 outside the samples' mask
    control_CPN: Tensor  # the first objective trained on rewards dealt anew within each problem, C times: must not gain
    fold_P: Tensor  # the fold in which each problem was held out
    chosen: Mapping[str, tuple[Setting, ...]]  # for each objective, the setting chosen in each fold
    beta: float  # temperature of the softmax selection that the probes were chosen for

    def scores_of(self, objective: str) -> Tensor:
        """One objective's out-of-fold scores."""
        return self.scores_OPN[self.objectives.index(objective)]


def cross_validate(
    samples: Samples,
    objectives: Sequence[str] = ("mse", "ce", "pg"),
    *,
    folds: int = 5,
    seed: int = 0,
    beta: float = 0.1,
    groups: Mapping[str, int] | None = None,
    controls: int = 5,
) -> CrossValidation:
    """Train every objective on all folds but one, for each fold, and score the fold left out.

    `groups` numbers near-duplicate problems, which then share a fold. Raises ProbeError for too few problems, an
    unknown objective, and a training set without any pass or without any failure.
    """
    for name in objectives:
        find_objective(name)
    fold_P = assign_folds(samples.problem_ids, folds, seed, groups)
    trains = [fold_P != fold for fold in range(folds)]
    for fold, train_P in enumerate(trains):
        _refuse_one_sided(samples, train_P, f"the training problems of fold {fold}")
    setting = Setting(samples.views[:1], beta=beta)
    members = [Member(name, setting, train_P, seed) for name in objectives for train_P in trains]
    trained = train(samples, members, Schedule(seed=seed))
    control_members = [Member(objectives[0], setting, train_P, seed) for train_P in trains]
    control = [
        held_out_scores(samples, train(samples.shuffled(draw), control_members, Schedule(seed=seed)), fold_P)
        for draw in range(controls)
    ]
    scores = [held_out_scores(samples, trained[o * folds : (o + 1) * folds], fold_P) for o in range(len(objectives))]
    return CrossValidation(
        samples.problem_ids,
        tuple(objectives),
        torch.stack(scores),
        torch.stack(control) if control else torch.zeros(0, *samples.mask_PN.shape),
        fold_P,
        dict.fromkeys(objectives, (setting,) * folds),
        beta,
    )


def held_out_scores(samples: Samples, probes: Sequence[Trained], fold_P: Tensor) -> Tensor:
    """Scores [P, N] of every problem by its own fold's probe. Raises AssertionError where a probe saw the problem."""
    scores_PN = torch.zeros(samples.mask_PN.shape, dtype=torch.float64)
    for fold, probe in enumerate(probes):
        problems = (fold_P == fold).nonzero().flatten()
        if bool(probe.member.train_P[problems].any()):
            raise AssertionError(f"fold {fold} was trained on problems it is tested on")
        for start in range(0, len(problems), 32):
            chunk = problems[start : start + 32]
            vectors = [samples.vectors[view][chunk].float() for view in probe.member.setting.views]
            scores_PN[chunk] = probe(vectors).double().cpu()
    return scores_PN.masked_fill(~samples.mask_PN.cpu(), 0.0)


def _refuse_one_sided(samples: Samples, train_P: Tensor, what: str) -> None:
    graded = samples.mask_PN.cpu()[train_P]
    rewards = samples.rewards_PN.cpu()[train_P][graded]
    if len(rewards) == 0 or bool((rewards == rewards[0]).all()):
        kind = "no graded sample" if len(rewards) == 0 else "no failing sample" if rewards[0] else "no passing sample"
        raise ProbeError(f"{what} have {kind}: there is nothing to learn from")
