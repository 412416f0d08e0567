"""Intervals and p-values: right as often as they say, and equal to independent implementations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats import Design, differences, holm, intervals, tabulate
from harness.stats.intervals import crossed_means, paired_p, percentile_interval, resample, resampled_means


def test_resampled_means_are_means_of_resamples():
    values_RP = np.random.default_rng(0).random((2, 7))
    values_RP[1, 3] = np.nan
    counts_BP = resample(7, 50, seed=1)
    assert (counts_BP.sum(1) == 7).all()
    means_RB = resampled_means(values_RP, counts_BP)
    for b, counts_P in enumerate(counts_BP.astype(int)):
        np.testing.assert_allclose(means_RB[:, b], np.nanmean(np.repeat(values_RP, counts_P, axis=1), axis=1))


def test_draws_of_many_problems_are_the_same_in_a_byte_each(monkeypatch: pytest.MonkeyPatch):
    values_RP = np.random.default_rng(0).random((2, 37))
    values_RP[1, 3] = np.nan
    design = Design(units_P=np.arange(37) // 2)

    def drawn() -> list[np.ndarray]:
        resample.cache_clear()
        intervals._signs.cache_clear()
        counts_BP = design.counts(37, 500, 1)
        return [counts_BP, resampled_means(values_RP, counts_BP), paired_p(values_RP - 0.6, 500, 1, design)]

    few = drawn()
    monkeypatch.setattr(intervals, "FEW", 10)
    monkeypatch.setattr(intervals, "ROWS_AT_ONCE", 7)
    try:
        many = drawn()
    finally:
        resample.cache_clear()
        intervals._signs.cache_clear()
    assert (few[0].dtype, many[0].dtype) == (np.float64, np.uint8)
    for one, other in zip(few, many, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_interval_agrees_with_scipys_percentile_bootstrap():
    values = np.random.default_rng(0).random(80) ** 2
    low, high = percentile_interval(resampled_means(values[None], resample(80, 20_000, seed=0)))
    scipys = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, random_state=1)
    assert low[0] == pytest.approx(scipys.confidence_interval.low, abs=0.004)
    assert high[0] == pytest.approx(scipys.confidence_interval.high, abs=0.004)


def coverage(problems: int, runs: int, resamples: int) -> float:
    """The coverage of the 95 % interval of mean pass rate: beta-distributed problems, ten samples per problem."""
    rng = np.random.default_rng(0)
    chances_TP = rng.beta(0.4, 0.8, size=(runs, problems))
    rates_TP = rng.binomial(10, chances_TP) / 10
    low_T, high_T = percentile_interval(resampled_means(rates_TP, resample(problems, resamples, seed=2)))
    return float(((low_T <= 0.4 / 1.2) & (high_T >= 0.4 / 1.2)).mean())


def test_the_interval_covers_the_truth():
    assert coverage(164, 1000, 500) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("problems", [50, 164, 500])
def test_the_interval_covers_the_truth_over_many_runs(problems: int):
    assert coverage(problems, 20_000, 2000) == pytest.approx(0.95, abs=0.012)


def test_paired_p_is_the_permutation_test():
    differences_P = np.random.default_rng(3).standard_normal(12) + 0.4
    exact = stats.permutation_test((differences_P,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert paired_p(differences_P[None], 100_000, seed=0)[0] == pytest.approx(exact, abs=0.005)


def test_paired_p_is_even_where_nothing_differs():
    differences_RP = np.random.default_rng(0).standard_normal((1000, 40))
    p_R = paired_p(differences_RP, 500, seed=1)
    assert (p_R <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert stats.kstest(p_R, "uniform").pvalue > 1e-3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
@settings(max_examples=200, deadline=None)
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float]):
    corrected = holm(np.array(p_values))
    for alpha in (0.01, 0.05, 0.3):
        rejected, order = set(), sorted(range(len(p_values)), key=lambda i: p_values[i])
        for step, i in enumerate(order):
            if p_values[i] * (len(p_values) - step) > alpha:
                break
            rejected.add(i)
        assert {i for i in range(len(p_values)) if corrected[i] <= alpha} == rejected


def test_holm_counts_only_what_is_compared():
    corrected = holm(np.array([0.01, np.nan, 0.02]))
    assert corrected[0] == pytest.approx(0.02)
    assert np.isnan(corrected[1])


def test_crossed_means_are_as_wide_as_both_sources_of_chance():
    rng = np.random.default_rng(0)
    values_CP = rng.standard_normal((10, 1)) + rng.standard_normal((1, 100))
    assert crossed_means(values_CP, 4000, seed=0).std() == pytest.approx((1 / 10 + 1 / 100) ** 0.5, rel=0.35)


def test_the_table_pairs_by_problem():
    base_P = np.random.default_rng(0).random(60)
    values = {"base": base_P, "better": base_P + 0.01, "top": np.ones(60)}
    _, better, top = tabulate(values, base="base", oracle="top", compared={"better"}, resamples=300)
    assert (better.gain, better.gain_low, better.gain_high) == pytest.approx((0.01, 0.01, 0.01))
    assert better.high - better.low > 0.05  # unpaired it would drown
    assert better.p_holm == better.p < 0.01
    assert better.headroom == pytest.approx(0.01 / (1 - base_P.mean()))
    assert top.headroom == pytest.approx(1.0)
    (difference,) = differences(values, [("better", "base")], resamples=300)
    assert difference.value == pytest.approx(0.01)
    assert len(differences(values, resamples=300)) == 3


def foldings(problems: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values in ten cross-validations of five folds, whose probes differ: each fold adds a part to the gain."""
    rng = np.random.default_rng(seed)
    folds_SP = np.stack([rng.permutation(problems) % 5 for _ in range(10)])
    of_folds = 0.3 * rng.standard_normal((10, 5))
    own_P = 0.1 * rng.standard_normal(problems)
    return np.take_along_axis(of_folds, folds_SP, axis=1) + own_P, folds_SP


def test_factors_are_the_corrected_variance_of_repeated_cross_validation():
    """Nadeau and Bengio 2003, by hand; rows that no fold changes are as wide as over problems."""
    values_SP, folds_SP = foldings(60)
    values_SRP = np.stack([values_SP, np.broadcast_to(values_SP[0], values_SP.shape)], axis=1)
    draws_RB = resampled_means(values_SRP.mean(0), resample(60, 4000, seed=0))
    trained, fixed = Design(folds_SP).factors(values_SRP, draws_RB)
    means = [
        values_P[fold_P == fold].mean()
        for values_P, fold_P in zip(values_SP, folds_SP, strict=True)
        for fold in range(5)
    ]
    corrected = (1 / 50 + 1 / 4) * np.var(means, ddof=1)
    assert trained == pytest.approx((corrected / draws_RB[0].var()) ** 0.5)
    assert trained > 2
    assert fixed == 1.0
    assert Design(folds_SP[:1]).factors(values_SRP[:1], draws_RB).tolist() == [1.0, 1.0], "one folding shows nothing"
    same_RB = np.full((2, 100), 0.5)
    assert np.isfinite(Design(folds_SP).factors(values_SRP, same_RB)).all()


def test_rows_of_foldings_are_their_mean_with_wider_intervals_and_larger_p():
    values_SP, folds_SP = foldings(60)
    values = {"base": np.zeros(60), "probe": values_SP + 0.06, "top": np.ones(60)}
    _, probe, _ = tabulate(
        values, base="base", oracle="top", compared={"probe"}, design=Design(folds_SP), resamples=2000
    )
    values["probe"] = values["probe"].mean(0)
    _, plain, _ = tabulate(values, base="base", oracle="top", compared={"probe"}, resamples=2000)
    assert probe.gain == pytest.approx(plain.gain)
    assert probe.gain_low < plain.gain_low < plain.gain_high < probe.gain_high
    assert probe.p > plain.p


def test_near_duplicates_are_resampled_together():
    """Twenty copies of each of ten problems say no more than the ten."""
    own_P = np.random.default_rng(0).standard_normal(10)
    units_P = np.repeat(np.arange(10), 20)
    values = {"base": np.zeros(200), "copies": own_P[units_P], "top": np.full(200, 5.0)}
    _, copies, _ = tabulate(values, base="base", oracle="top", design=Design(units_P=units_P), resamples=4000)
    alone = {"base": np.zeros(10), "copies": own_P, "top": np.full(10, 5.0)}
    _, single, _ = tabulate(alone, base="base", oracle="top", resamples=4000)
    assert (copies.gain_low, copies.gain_high, copies.p) == pytest.approx((single.gain_low, single.gain_high, single.p))


def test_simultaneous_intervals_hold_for_the_best_of_many():
    """Ten rows without any gain: the interval of the highest holds zero as often as it says, the plain one rarely."""
    rng = np.random.default_rng(0)
    held = {True: 0, False: 0}
    for run in range(200):
        values = {"base": np.zeros(80), **{str(row): rng.standard_normal(80) for row in range(10)}}
        pairs = [(str(row), "base") for row in range(10)]
        for simultaneous in held:
            items = differences(values, pairs, simultaneous=simultaneous, resamples=400, seed=run)
            best = max(items, key=lambda item: item.value)
            held[simultaneous] += best.low <= 0 <= best.high
    assert held[True] >= 184
    assert held[False] <= 170
