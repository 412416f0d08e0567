"""Model selection: hyperparameters, selection rule and number of epochs, from the figures on inner folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.probes.hyperparameters import Hyperparameters
from harness.probes.plans import TrainingPlan
from harness.probes.samples import ProbeError
from harness.probes.validation import KL, REWARD, Curve, lower_bounds
from harness.stats.rules import AMONG, KINDS, SOFTMAX, SelectionRule

ROUNDING = 1e-6
"""Lower bounds that rounding alone may tell apart."""


@dataclass(frozen=True)
class Selected:
    """The result of model selection for one probe."""

    hyperparameters: Hyperparameters
    epochs: int  # 0 in closed form
    rule: SelectionRule  # the best of all rules: the one to use
    temperature: float  # of the best softmax selection with the same probe; 0 where none was tried
    k: int | None  # of the best arg max among k with the same probe; None where none was tried
    figure: float  # expected reward of `rule` on the inner folds; NaN where there was no choice
    kl: float  # distance of its choice from a random one there, in nats; NaN where there was no choice


def select(candidates: Sequence[Hyperparameters], plan: TrainingPlan, curves_TEBS: Curve, problems: int) -> Selected:
    """Select hyperparameters, epoch and rule by the curves of T trials: every candidate on every inner fold.

    The best of many figures is partly the best by chance, and a sharp selection that was lucky loses most. So rules are
    compared by a lower bound of the gain over a random sample, `plan.caution` standard errors below its mean over the
    training problems, or groups of near-duplicates, of which there are `problems`. The best bound decides
    hyperparameters and epoch; of the rules whose bound is at most `plan.leeway` standard errors below it, and above
    zero, the softest is taken: the one nearest to a random choice by KL divergence. With no bound above zero the best
    figure decides hyperparameters and epoch. Then, and where choices made without an inner fold gain less on that fold
    than `plan.evidence` standard errors, the softest of all rules is taken. A candidate that diverged has no figure
    from that epoch on. Raises ProbeError where all diverged in the first epoch.
    """
    curves_CFEBS = curves_TEBS.reshape(len(candidates), plan.inner_used, *curves_TEBS.shape[1:])
    figures_CEBS = curves_CFEBS.mean(axis=1)
    bounds_CEB, errors_CEB = lower_bounds(figures_CEBS, problems, plan.caution)
    if not np.isfinite(bounds_CEB).any():
        raise ProbeError(
            "Training diverged with all hyperparameters: try smaller learning rates, smaller l2 or larger betas."
        )
    candidate, epoch, _ = _argmax(_deciding(figures_CEBS, bounds_CEB))
    own = figures_CEBS[candidate, epoch], bounds_CEB[candidate, epoch], errors_CEB[candidate, epoch]
    best, softmax, among = (_softest(plan, *own, kinds) for kinds in (KINDS, (SOFTMAX,), (AMONG,)))
    if not _has_evidence(curves_CFEBS, plan, problems):
        best = sorted(range(len(plan.rules)), key=lambda b: own[0][b, KL])
    figures_S, rule = own[0][best[0]], plan.rules[best[0]]
    return Selected(
        candidates[candidate],
        0 if candidates[candidate].in_closed_form else epoch + 1,
        rule,
        plan.rules[softmax[0]].temperature if softmax else 0.0,
        plan.rules[among[0]].k if among else None,
        float(figures_S[REWARD]),
        float(figures_S[KL]),
    )


def _deciding(figures_CEBS: Curve, bounds_CEB: Curve) -> Curve:
    """The bounds, or the rewards where no bound is above zero."""
    return bounds_CEB if bounds_CEB.max() > ROUNDING else figures_CEBS[..., REWARD]


def _has_evidence(curves_CFEBS: Curve, plan: TrainingPlan, problems: int) -> bool:
    """Return False where choices that were made without an inner fold gain too little on that fold.

    Nothing is the best of many here, so that noise passes as often as the normal distribution says. One inner fold
    leaves no others to choose on.
    """
    folds = curves_CFEBS.shape[1]
    if folds < 2:
        return True
    held_out = []
    for fold in range(folds):
        figures_CEBS = np.delete(curves_CFEBS, fold, axis=1).mean(axis=1)
        bounds_CEB, _ = lower_bounds(figures_CEBS, problems * (folds - 1) // folds, plan.caution)
        candidate, epoch, rule = _argmax(_deciding(figures_CEBS, bounds_CEB))
        held_out.append(curves_CFEBS[candidate, fold, epoch, rule])
    bound, _ = lower_bounds(np.mean(held_out, axis=0), problems, plan.evidence)
    return bool(bound > 0)


def _softest(
    plan: TrainingPlan, figures_BS: Curve, bounds_B: Curve, errors_B: Curve, kinds: Sequence[str]
) -> list[int]:
    """The positions, the softest first, of the rules that may be taken of these kinds; [] where the plan has none."""
    own = [b for b, rule in enumerate(plan.rules) if rule.kind in kinds]
    best = max(own, key=lambda b: bounds_B[b], default=0)
    if bounds_B[best] > ROUNDING:
        least = max(bounds_B[best] - plan.leeway * errors_B[best], ROUNDING)
        own = [b for b in own if bounds_B[b] >= least]
    return sorted(own, key=lambda b: figures_BS[b, KL])


def _argmax(figures: Curve) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(np.nan_to_num(figures, nan=-np.inf).argmax(), figures.shape)))
