"""Nested selection compares lower bounds of gains, and takes the softest rule that the evidence allows."""

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import ProbeError
from harness.probes import cross_validate
from harness.probes.hyperparameters import Hyperparameters
from harness.probes.model_selection import Selected, select
from harness.probes.plans import NEARLY_RANDOM, TrainingPlan, plan_at
from harness.probes.samples import View
from harness.probes.synthetic import plant
from harness.probes.validation import GAIN, KL, REWARD, SQUARE, selection_figures
from harness.stats import SelectionRule, pass_at_1
from harness.stats.curves import kl_from_base

CANDIDATES = [Hyperparameters((View(1, "last"),), l2=l2) for l2 in (1.0, 0.1)]
RULES = (SelectionRule(0.1), SelectionRule(NEARLY_RANDOM), SelectionRule(k=1), SelectionRule(k=3), SelectionRule())
PLAN = replace(TrainingPlan(), rules=RULES, inner_folds=4, inner_used=4, caution=2.0, evidence=0.0, leeway=1.0)
EPOCHS, PROBLEMS, BASE = 3, 101, 0.2
KLS = (0.8, 0.0, 0.0, 0.5, 1.2)


def curves(gains: dict[tuple[int, int, int], float], spread: float = 0.5) -> np.ndarray:
    """The same figures on every inner fold: no gain, but for those named; all rules but the random ones vary."""
    curves_CFEBS = np.zeros((2, 4, EPOCHS, len(RULES), 4))
    curves_CFEBS[..., KL] = KLS
    for (candidate, epoch, rule), gain in gains.items():
        curves_CFEBS[candidate, :, epoch, rule, GAIN] = gain
    curves_CFEBS[..., REWARD] = BASE + curves_CFEBS[..., GAIN]
    curves_CFEBS[..., SQUARE] = curves_CFEBS[..., GAIN] ** 2 + spread**2 * (curves_CFEBS[..., KL] > 0)
    return curves_CFEBS


def selected(curves_CFEBS: np.ndarray, plan: TrainingPlan = PLAN) -> Selected:
    return select(CANDIDATES, plan, curves_CFEBS.reshape(-1, *curves_CFEBS.shape[2:]), PROBLEMS)


def test_luck_selects_a_random_sample():
    """A gain of 1.8 standard errors, the best of 30, is none."""
    result = selected(curves({(1, 2, 4): 0.09}))
    assert (result.hyperparameters, result.epochs) == (CANDIDATES[1], 3)
    assert str(result.rule) == "a random sample" or result.rule.temperature == NEARLY_RANDOM
    assert (result.temperature, result.k, result.kl) == (NEARLY_RANDOM, 1, 0.0)


def test_evidence_selects_and_the_softest_of_equals_is_taken():
    gains = {(1, 2, 4): 0.20, (1, 2, 0): 0.19, (1, 2, 3): 0.17, (0, 0, 3): 0.16}
    result = selected(curves(gains))
    assert (result.hyperparameters, result.epochs, result.rule) == (CANDIDATES[1], 3, SelectionRule(k=3))
    assert (result.temperature, result.k, result.figure) == (0.1, 3, pytest.approx(0.37))
    sharpest = selected(curves(gains), replace(PLAN, leeway=0.0))
    assert sharpest.rule == SelectionRule()


def test_what_gains_on_one_fold_alone_is_no_evidence():
    """Four choices, each the best because of another fold: on it, the choice made without it gains little."""
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    figures = curves({(*place, 4): 0.02 for place in places})
    for fold, (candidate, epoch) in enumerate(places):
        figures[candidate, fold, epoch, 4, :3] = (BASE + 0.8, 0.8, 0.8**2 + 0.5**2)
    assert selected(figures).rule == SelectionRule()
    cautious = selected(figures, replace(PLAN, evidence=1.0))
    assert cautious.kl == 0.0
    assert selected(curves({(1, 2, 4): 0.2}), replace(PLAN, evidence=1.0)).rule == SelectionRule()


def test_a_plan_of_one_rule_selects_no_other():
    only = replace(PLAN, rules=(SelectionRule(),))
    result = selected(curves({(0, 1, 4): -0.1, (1, 0, 4): 0.05})[..., 4:, :], only)
    assert (result.rule, result.epochs, result.temperature, result.k) == (SelectionRule(), 1, 0.0, None)


def test_what_diverged_is_never_taken():
    figures = curves({(0, 0, 4): 0.4})
    figures[1] = np.nan
    figures[0, :, 1:] = np.nan
    assert selected(figures).epochs == 1
    with pytest.raises(ProbeError, match="Training diverged with all hyperparameters"):
        selected(np.full_like(figures, np.nan))


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, (2, EPOCHS, 5), elements=st.integers(-30, 50).map(lambda n: n / 100)),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.floats(0.01, 1.0),
)
def test_the_rule_by_hand(gains_CEB: np.ndarray, caution: float, leeway: float, spread: float):
    gains_CEB[..., 1:3] = 0.0
    gains = {(c, e, b): float(gains_CEB[c, e, b]) for c, e, b in np.ndindex(gains_CEB.shape)}
    error = {place: spread / math.sqrt(PROBLEMS - 1) * (KLS[place[2]] > 0) for place in gains}
    bound = {place: gains[place] - caution * error[place] for place in gains}
    best = max(bound.values())
    result = selected(curves(gains, spread), replace(PLAN, caution=caution, leeway=leeway))
    candidate = CANDIDATES.index(result.hyperparameters)
    own = {b: (candidate, result.epochs - 1, b) for b in range(5)}
    if best <= 1e-6:
        assert max(gains[place] for place in own.values()) == max(gains.values())
        assert result.kl == 0.0
        return
    assert max(bound[place] for place in own.values()) == pytest.approx(best)
    leader = max(own, key=lambda b: bound[own[b]])
    least = max(bound[own[leader]] - leeway * error[own[leader]], 1e-6)
    assume(all(abs(bound[own[b]] - least) > 1e-9 for b in own if b != leader))  # rounding decides there
    allowed = [b for b in own if bound[own[b]] >= least - 1e-12]
    assert result.kl == min(KLS[b] for b in allowed)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000))
def test_figures_are_those_of_the_rules(seed: int):
    """Against the exact estimators of the report, with holes and without ties."""
    generator = np.random.default_rng(seed)
    scores_PN, mask_PN = generator.normal(size=(4, 6)), generator.random((4, 6)) < 0.8
    rewards_PN = (generator.random((4, 6)) < 0.4) * mask_PN.astype(float)
    tensors = (torch.from_numpy(scores_PN)[None], torch.from_numpy(rewards_PN)[None], torch.from_numpy(mask_PN))
    rules = (SelectionRule(0.3), SelectionRule(k=2), SelectionRule(k=50), SelectionRule())
    graded_P = mask_PN.any(1)
    base_P = pass_at_1(rewards_PN, mask_PN)
    for rule, figures_S in zip(rules, selection_figures(*tensors, rules)[0], strict=True):
        chances_PN = rule.chances(scores_PN, mask_PN)
        gains_P = ((chances_PN * rewards_PN).sum(1) - base_P)[graded_P]
        expected = {
            REWARD: statistics.fmean((chances_PN * rewards_PN).sum(1)[graded_P]) if graded_P.any() else 0.0,
            GAIN: gains_P.mean() if graded_P.any() else 0.0,
            SQUARE: (gains_P**2).mean() if graded_P.any() else 0.0,
            KL: kl_from_base(chances_PN, mask_PN)[graded_P].mean() if graded_P.any() else 0.0,
        }
        for place, value in expected.items():
            assert figures_S[place] == pytest.approx(value, abs=1e-6), (rule, place)


def test_scores_that_are_no_numbers_have_no_figures():
    scores_MPN = torch.tensor([[[1.0, math.nan]], [[1.0, 2.0]]])
    rewards_MPN = torch.tensor([[[1.0, 0.0]]])
    figures_MBS = selection_figures(scores_MPN, rewards_MPN, torch.ones(1, 2, dtype=torch.bool), RULES)
    assert np.isnan(figures_MBS[0]).all()
    assert np.isfinite(figures_MBS[1]).all()


def test_beta_is_the_rule_of_selection():
    samples = plant(30, 8, 4, signal=2.0).samples
    plan = replace(TrainingPlan(), schedule=replace(TrainingPlan().schedule, epochs=4))
    by_beta = {beta: cross_validate(samples, ["mse"], beta=beta, plan=plan, controls=0) for beta in (0.0, 0.1, 10.0)}
    for beta, result in by_beta.items():
        assert {selected.rule for selected in result.chosen["mse"]} == {SelectionRule(beta)}
    values = {beta: result.ruled("mse") for beta, result in by_beta.items()}
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    base = pass_at_1(rewards_PN, mask_PN).mean()
    assert set(values[0.0].values(rewards_PN, mask_PN)) == {"arg max"}
    soft, softest = (values[beta].values(rewards_PN, mask_PN)["softmax"].mean() for beta in (0.1, 10.0))
    assert soft > softest + 0.05
    assert softest == pytest.approx(base, abs=0.02)
    assert plan_at("paper", None).rules == (SelectionRule(0.1),)
    assert plan_at("paper", 0.0).rules == (SelectionRule(),)


@pytest.mark.slow
def test_noise_selects_next_to_nothing_and_signal_is_kept():
    """Of 60 problems x 10 samples without signal, at most a third of the folds select at all."""
    seeds = range(4)
    noise = [cross_validate(plant(60, 10, 16, signal=0.0, seed=s).samples, ["pg"], controls=0, seed=s) for s in seeds]
    kls = [selected.kl for result in noise for selected in result.chosen["pg"]]
    assert statistics.fmean(kl > 0.01 for kl in kls) <= 1 / 3
    signal = cross_validate(plant(60, 10, 16, signal=2.0).samples, ["pg"], controls=0)
    assert min(selected.kl for selected in signal.chosen["pg"]) > 1.0
