"""Which setting, temperature of selection and number of epochs to take, from what they were worth on inner folds."""

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
    """What was chosen for a task, and what it was worth on the inner folds."""

    setting: Hyperparameters
    temperature: float  # of softmax selection
    epochs: int
    figure: float  # expected reward of selection on the inner folds; NaN where nothing was chosen between


def choose(settings: Sequence[Hyperparameters], plan: TrainingPlan, curves_TEB: Curve) -> Selected:
    """The setting, epoch and temperature to take, from the curves of every setting and inner fold.

    The best of so many figures is the best by chance in part, and a sharp selection that was lucky loses most. So the
    softest selection is taken whose mean figure is at most `plan.one_se_rule` standard errors below the best; the error
    is that of their difference, fold by fold (the one-standard-error rule, Breiman et al. 1984, section 3.4.3). Among
    equally soft ones the best figure decides. A setting that diverged has no figure from there on. Raises ProbeError
    where all did, from the first epoch.
    """
    curves_CFEB = curves_TEB.reshape(len(settings), plan.inner_used, *curves_TEB.shape[1:])
    figures_CEB = np.nan_to_num(curves_CFEB.mean(axis=1), nan=-np.inf)
    best = _place_of_best(figures_CEB)
    if figures_CEB[best] == -np.inf:
        raise ProbeError("training diverged with every setting: try smaller learning rates and l2, or larger betas")
    rivals_CEB = _is_rival(curves_CFEB, best, plan.one_se_rule)
    softest = max(np.flatnonzero(rivals_CEB.any(axis=(0, 1))), key=lambda place: plan.temperatures[place])
    figures_CE = np.where(rivals_CEB[..., softest], figures_CEB[..., softest], -np.inf)
    setting, epoch = _place_of_best(figures_CE)
    return Selected(settings[setting], plan.temperatures[softest], epoch + 1, float(figures_CE[setting, epoch]))


def _place_of_best(figures: Curve) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(figures.argmax(), figures.shape)))


def _is_rival(curves_CFEB: Curve, best: tuple[int, ...], one_se_rule: float) -> NDArray[np.bool_]:
    """Whose mean is below the best's by so many standard errors at most, [C, E, B]; one fold alone tells no error."""
    setting, epoch, temperature = best
    rivals_CEB = np.zeros(curves_CFEB.shape[:1] + curves_CFEB.shape[2:], dtype=bool)
    folds = curves_CFEB.shape[1]
    if folds > 1:
        deficits_CFEB = curves_CFEB[setting, :, epoch, temperature][:, None, None] - curves_CFEB
        errors_CEB = deficits_CFEB.std(axis=1, ddof=1) / np.sqrt(folds)
        rivals_CEB = deficits_CFEB.mean(axis=1) <= one_se_rule * errors_CEB
    rivals_CEB[best] = True
    return rivals_CEB
