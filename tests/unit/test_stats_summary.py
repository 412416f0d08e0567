"""The table of a run, its ranks, baselines and curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.errors import QprobeError
from harness.stats import (
    Control,
    SampleFeatures,
    baseline_scores,
    best_of_k,
    best_of_k_curve,
    distinct_samples,
    pass_at_1,
    reward_against_kl,
    softmax_of_k,
    summarise,
    within_problem_auc,
    without_length,
)


def run(problems: int = 80, samples: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that know a little, rewards, and a mask with holes."""
    rng = np.random.default_rng(seed)
    scores_PN = rng.standard_normal((problems, samples))
    chances_PN = 1 / (1 + np.exp(1 - scores_PN - rng.standard_normal((problems, 1))))
    return scores_PN, (rng.random((problems, samples)) < chances_PN).astype(float), rng.random(scores_PN.shape) < 0.9


@given(st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_auc_is_the_mann_whitney_statistic(seed: int):
    scores_PN, rewards_PN, mask_PN = run(5, 8, seed)
    scores_PN = scores_PN.round()  # ties
    auc_P = within_problem_auc(scores_PN, rewards_PN, mask_PN)
    for auc, scores, rewards, mask in zip(auc_P, scores_PN, rewards_PN, mask_PN, strict=True):
        passed, failed = scores[mask & (rewards > 0)], scores[mask & (rewards == 0)]
        if len(passed) and len(failed):
            expected = stats.mannwhitneyu(passed, failed).statistic / (len(passed) * len(failed))
            assert auc == pytest.approx(expected)
        else:
            assert np.isnan(auc)


def test_scores_that_are_length_are_worth_nothing_without_it():
    _, _, mask_PN = run()
    lengths_PN = np.exp(np.random.default_rng(1).standard_normal(mask_PN.shape)) * 200
    level_P1 = np.random.default_rng(2).standard_normal((len(mask_PN), 1))
    residual_PN = without_length(level_P1 - 0.3 * np.log(lengths_PN), lengths_PN, mask_PN)
    np.testing.assert_allclose(residual_PN, 0.0, atol=1e-9)
    assert not without_length(np.ones(mask_PN.shape), np.ones(mask_PN.shape), mask_PN).any()


def test_baselines_score_what_they_say():
    mask_PN = np.array([[True, True, True, False]])
    features = SampleFeatures(
        lengths_PN=np.array([[5.0, 3.0, 9.0, 1.0]]),
        log_probabilities_PN=np.array([[-1.0, -2.0, -0.5, 0.0]]),
        total_log_probabilities_PN=np.array([[-5.0, -6.0, -4.5, 0.0]]),
        scores={"judge": np.array([[0.0, 1.0, 0.5, 2.0]])},
        groups={"programs": np.array([[7, 7, 2, 2]])},
    )
    scores = baseline_scores(features, mask_PN)
    best = {name: int(np.where(mask_PN, scores_PN, -np.inf).argmax()) for name, scores_PN in scores.items()}
    logprobs, lengths = {"mean log-probability": 2, "total log-probability": 2}, {"shortest": 1, "longest": 2}
    assert best == {**logprobs, **lengths, "typical length": 0, "agreement (programs)": 0, "judge": 1}
    assert scores["agreement (programs)"].tolist() == [[2.0, 2.0, 1.0, 0.0]]
    assert distinct_samples(features.groups["programs"], mask_PN).tolist() == [2]
    assert baseline_scores(SampleFeatures(), mask_PN) == {}


def test_the_summary_has_a_row_for_everything():
    scores_PN, rewards_PN, mask_PN = run()
    table = summarise(
        rewards_PN,
        mask_PN,
        {"mse": scores_PN, "pg": -scores_PN},
        controls={
            "random direction": Control(np.random.default_rng(5).standard_normal((6, *scores_PN.shape))),
            "shuffled labels": Control(np.random.default_rng(0).standard_normal((4, *scores_PN.shape))),
        },
        baselines={"shortest": scores_PN},
        others={"greedy": rewards_PN[:, 0]},
        lengths_PN=np.random.default_rng(1).random(scores_PN.shape) * 100 + 1,
        resamples=400,
    )
    names = ["pass@1", "greedy", "mse", "pg", "shortest", "random direction", "shuffled labels", "pass@12"]
    assert [row.name for row in table.rows] == names
    assert table["mse"].gain_low > 0 > table["pg"].gain_high
    assert table["mse"].p_holm >= table["mse"].p
    assert np.isnan(table["shortest"].p_holm)
    assert table["mse"].auc == pytest.approx(1 - table["pg"].auc)
    assert table["mse"].gain_without_length == pytest.approx(table["mse"].gain, abs=0.03)
    assert table["shuffled labels"].gain_low < 0 < table["shuffled labels"].gain_high
    assert table["random direction"].gain_low < 0 < table["random direction"].gain_high
    assert table["random direction"].auc == pytest.approx(0.5, abs=0.05)
    assert table["pass@1"].value == pytest.approx(np.nanmean(pass_at_1(rewards_PN, mask_PN)))


def test_the_summary_at_k_is_over_subsets_of_k():
    scores_PN, rewards_PN, _ = run(20, 6)
    mask_PN = np.ones(scores_PN.shape, dtype=bool)
    table = summarise(rewards_PN, mask_PN, {"mse": scores_PN}, baselines={"best": scores_PN}, k=3, resamples=50)
    assert table["mse"].value == pytest.approx(softmax_of_k(scores_PN, rewards_PN, mask_PN, 3, 0.1).mean())
    assert table["best"].value == pytest.approx(best_of_k(scores_PN, rewards_PN, mask_PN, [3]).mean())
    assert table.rows[-1].name == "pass@3"


def test_the_curve_over_k_starts_at_pass_at_1_and_ends_at_the_best():
    scores_PN, rewards_PN, _ = run()
    mask_PN = np.ones(scores_PN.shape, dtype=bool)
    curve = best_of_k_curve(scores_PN, rewards_PN, mask_PN, resamples=200)
    assert [point.x for point in curve] == list(range(1, 13))
    assert curve[0].value == pytest.approx(rewards_PN.mean())
    best_P = np.take_along_axis(rewards_PN, scores_PN.argmax(1)[:, None], axis=1)
    assert curve[-1].value == pytest.approx(best_P.mean())
    assert all(point.low <= point.value <= point.high for point in curve)


def test_reward_against_kl_tends_to_the_theorys_optimum():
    """Q-Probe's theorem: at its distance from the base policy no other policy earns more by the scores themselves."""
    scores_PN, _, _ = run(10, 8)
    mask_PN = np.ones(scores_PN.shape, dtype=bool)
    curve = reward_against_kl(scores_PN, scores_PN, mask_PN, betas=[0.2, 1.0, 5.0], ks=[1, 2, 4, 8, 400])
    for beta in (0.2, 1.0, 5.0):
        by_k = {point.k: point for point in curve if point.beta == beta}
        assert by_k[1].kl == pytest.approx(0.0, abs=1e-9)
        limit = by_k[None]
        assert by_k[1].kl < by_k[2].kl < by_k[4].kl < by_k[8].kl < limit.kl < by_k[400].kl + 0.02
        for point in curve:
            assert point.reward - beta * point.kl <= limit.reward - beta * limit.kl + 1e-9


@pytest.mark.filterwarnings("error", "ignore:.*no number for them")
def test_too_large_a_k_leaves_blanks_and_no_noise():
    scores_PN, rewards_PN, mask_PN = run(6, 4)
    table = summarise(rewards_PN, mask_PN, {"mse": scores_PN}, k=9, resamples=50)
    assert np.isnan([table["mse"].value, table["mse"].low, table["mse"].headroom]).all()
    assert np.isnan(table["pass@1"].value)


@pytest.mark.filterwarnings("ignore:.*no number for them")
def test_all_rows_at_k_are_over_the_problems_that_have_k_samples():
    scores_PN, rewards_PN, mask_PN = run(60, 12)
    enough_P = mask_PN.sum(1) >= 11
    greedy_P = np.random.default_rng(4).random(60)
    assert 5 < enough_P.sum() < 55
    options = {"others": {"greedy": greedy_P}, "baselines": {"best": scores_PN}, "k": 11, "resamples": 50}
    table = summarise(rewards_PN, mask_PN, {"mse": scores_PN}, **options)
    assert table["pass@1"].value == pytest.approx(pass_at_1(rewards_PN, mask_PN)[enough_P].mean())
    assert table["greedy"].value == pytest.approx(greedy_P[enough_P].mean())
    for row in table.rows:
        assert np.isfinite(table.values[row.name]).tolist() == enough_P.tolist()
        assert row.gain == pytest.approx(row.value - table["pass@1"].value)


def test_where_nothing_can_be_gained_there_is_no_headroom_to_share():
    scores_PN, _, mask_PN = run(20, 6)
    for rewards_PN in (np.zeros(scores_PN.shape), np.ones(scores_PN.shape)):
        table = summarise(rewards_PN, mask_PN, {"mse": scores_PN}, resamples=50)
        assert all(np.isnan([row.headroom, row.headroom_low, row.headroom_high]).all() for row in table.rows)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_scores_that_are_not_finite_are_refused(value: float):
    scores_PN, rewards_PN, mask_PN = run(6, 4)
    broken_PN = np.where(np.arange(24).reshape(6, 4) == np.flatnonzero(mask_PN)[3], value, scores_PN)
    for options in ({"scores": {"mse": broken_PN}}, {"scores": {}, "baselines": {"mse": broken_PN}}):
        with pytest.raises(QprobeError, match="1 scores of mse are not finite"):
            summarise(rewards_PN, mask_PN, resamples=10, **options)
    with pytest.raises(QprobeError, match="not finite"):
        best_of_k(broken_PN, rewards_PN, mask_PN, [1])
    hidden_PN = np.where(mask_PN, scores_PN, value)
    assert np.isfinite(summarise(rewards_PN, mask_PN, {"mse": hidden_PN}, resamples=10)["mse"].value)


@pytest.mark.parametrize("reward", [2.0, -0.5, np.nan, np.inf])
def test_rewards_outside_0_to_1_are_refused(reward: float):
    scores_PN, rewards_PN, mask_PN = run(6, 4)
    rewards_PN = np.where(np.arange(24).reshape(6, 4) == np.flatnonzero(mask_PN)[3], reward, rewards_PN)
    with pytest.raises(QprobeError, match="rewards from 0"):
        summarise(rewards_PN, mask_PN, {"mse": scores_PN}, resamples=10)
