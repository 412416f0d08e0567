"""Nested selection takes the softest selection that is within one standard error of the best."""

import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import ProbeError
from harness.probes.hyperparameters import Hyperparameters
from harness.probes.model_selection import Selected, select
from harness.probes.plans import TrainingPlan
from harness.probes.samples import View

CANDIDATES = [Hyperparameters((View(1, "last"),), l2=l2) for l2 in (1.0, 0.1)]
PLAN = replace(TrainingPlan(), temperatures=(0.01, 1.0, 0.1), inner_folds=4, inner_used=4)
EPOCHS = 3


def selected(curves_CFEB: np.ndarray, plan: TrainingPlan = PLAN) -> Selected:
    return select(CANDIDATES, plan, curves_CFEB.reshape(-1, *curves_CFEB.shape[2:]))


def flat(figure: float = 0.2) -> np.ndarray:
    return np.full((2, 4, EPOCHS, 3), figure)


def test_luck_does_not_make_a_selection_sharp():
    """Best on average because of one fold: no more than an error above the softest, which is taken."""
    curves_CFEB = flat()
    curves_CFEB[1, :, 2, 0] = [0.34, 0.19, 0.2, 0.2]
    result = selected(curves_CFEB)
    assert (result.temperature, result.figure) == (1.0, pytest.approx(0.2))


def test_what_is_better_in_every_fold_is_taken_however_sharp():
    curves_CFEB = flat()
    curves_CFEB[1, :, 2, 0] = [0.23, 0.22, 0.24, 0.23]
    assert selected(curves_CFEB) == Selected(CANDIDATES[1], 0.01, 3, pytest.approx(0.23))


def test_among_equally_soft_ones_the_figure_decides():
    curves_CFEB = flat()
    curves_CFEB[0, :, 1, 1] = [0.25, 0.21, 0.25, 0.21]
    curves_CFEB[1, :, 2, 0] = [0.3, 0.2, 0.25, 0.21]
    assert selected(curves_CFEB) == Selected(CANDIDATES[0], 1.0, 2, pytest.approx(0.23))


def test_without_the_one_standard_error_rule_the_best_is_taken():
    curves_CFEB = flat()
    curves_CFEB[1, :, 2, 0] = [0.34, 0.19, 0.2, 0.2]
    assert selected(curves_CFEB, replace(PLAN, one_se_rule=0.0)).temperature == 0.01


def test_one_inner_fold_tells_no_error():
    curves_CFEB = flat()[:, :1]
    curves_CFEB[1, 0, 0, 0] = 0.2001
    assert selected(curves_CFEB, replace(PLAN, inner_used=1)) == Selected(CANDIDATES[1], 0.01, 1, pytest.approx(0.2001))


def test_what_diverged_is_no_rival():
    curves_CFEB = flat(float("nan"))
    curves_CFEB[0, :, 0, 2] = [0.1, 0.2, 0.1, 0.2]
    assert selected(curves_CFEB) == Selected(CANDIDATES[0], 0.1, 1, pytest.approx(0.15))
    with pytest.raises(ProbeError, match="Training diverged with all hyperparameters"):
        selected(flat(float("nan")))


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, (2, 4, EPOCHS, 3), elements=st.integers(0, 50).map(lambda n: n / 50)))
def test_the_rule_by_hand(curves_CFEB: np.ndarray):
    places = [(c, e, b) for c in range(2) for e in range(EPOCHS) for b in range(3)]
    folds = {(c, e, b): curves_CFEB[c, :, e, b].tolist() for c, e, b in places}
    best = max(places, key=lambda place: statistics.fmean(folds[place]))

    def is_rival(place: tuple[int, int, int]) -> bool:
        deficits = [x - y for x, y in zip(folds[best], folds[place], strict=True)]
        deficit, error = statistics.fmean(deficits), statistics.stdev(deficits) / 2
        assume(deficit == error == 0 or abs(deficit - error) > 1e-9)  # the last digit decides nothing
        return place == best or deficit <= error

    rivals = [place for place in places if is_rival(place)]
    c, e, b = max(rivals, key=lambda place: (PLAN.temperatures[place[2]], statistics.fmean(folds[place])))
    result = selected(curves_CFEB)
    assert (result.temperature, result.figure) == (
        PLAN.temperatures[b],
        pytest.approx(statistics.fmean(folds[c, e, b])),
    )
