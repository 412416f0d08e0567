"""Model selection: hyperparameters, selection temperature and number of epochs, from the figures on inner folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.probes.hyperparameters import Hyperparameters
from harness.probes.plans import TrainingPlan
from harness.probes.samples import ProbeError
from harness.probes.validation import Curve


@dataclass(frozen=True)
class Selected:
    """The result of model selection for one probe."""

    hyperparameters: Hyperparameters
    temperature: float  # of softmax selection
    epochs: int
    figure: float  # expected reward of selection on the inner folds; NaN where there was no choice


def select(candidates: Sequence[Hyperparameters], plan: TrainingPlan, curves_TEB: Curve) -> Selected:
    """Select hyperparameters, epoch and temperature by the curves of T trials: every candidate on every inner fold.

    The best of many figures is partly the best by chance, and a sharp selection that was lucky loses most. So the
    softest selection is taken whose mean figure is at most `plan.one_se_rule` standard errors below the best; the error
    is that of their difference, fold by fold (the one-standard-error rule, Breiman et al. 1984, section 3.4.3). Among
    equally soft ones the best figure decides. A candidate that diverged has no figure from that epoch on. Raises
    ProbeError where all diverged in the first epoch.
    """
    curves_CFEB = curves_TEB.reshape(len(candidates), plan.inner_used, *curves_TEB.shape[1:])
    figures_CEB = np.nan_to_num(curves_CFEB.mean(axis=1), nan=-np.inf)
    best = _argmax(figures_CEB)
    if figures_CEB[best] == -np.inf:
        raise ProbeError(
            "Training diverged with all hyperparameters: try smaller learning rates, smaller l2 or larger betas."
        )
    rivals_CEB = _rivals(curves_CFEB, best, plan.one_se_rule)
    softest = max(np.flatnonzero(rivals_CEB.any(axis=(0, 1))), key=lambda column: plan.temperatures[column])
    figures_CE = np.where(rivals_CEB[..., softest], figures_CEB[..., softest], -np.inf)
    candidate, epoch = _argmax(figures_CE)
    return Selected(candidates[candidate], plan.temperatures[softest], epoch + 1, float(figures_CE[candidate, epoch]))


def _argmax(figures: Curve) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(figures.argmax(), figures.shape)))


def _rivals(curves_CFEB: Curve, best: tuple[int, ...], standard_errors: float) -> NDArray[np.bool_]:
    """True [C, E, B] where the mean is at most so many standard errors below the best; one fold gives no error."""
    candidate, epoch, temperature = best
    rivals_CEB = np.zeros(curves_CFEB.shape[:1] + curves_CFEB.shape[2:], dtype=bool)
    folds = curves_CFEB.shape[1]
    if folds > 1:
        deficits_CFEB = curves_CFEB[candidate, :, epoch, temperature][:, None, None] - curves_CFEB
        errors_CEB = deficits_CFEB.std(axis=1, ddof=1) / np.sqrt(folds)
        rivals_CEB = deficits_CFEB.mean(axis=1) <= standard_errors * errors_CEB
    rivals_CEB[best] = True
    return rivals_CEB
