"""Coverage of the intervals, and error rates, of the whole pipeline on simulated samples."""

import pytest

from scripts.bench_intervals import SIGNALS, simulate


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SIGNALS)
def test_the_interval_of_a_gain_holds_the_true_gain_of_the_probes(scenario: str):
    results = [simulate(scenario, seed, ["mse", "pg"]) for seed in range(30)]
    covered = [result.is_covered for run in results for result in run]
    assert sum(covered) / len(covered) >= 0.93
    gains = sum(any(result.p < 0.05 and result.gain >= 0.0005 for result in run) for run in results)
    losses = sum(any(result.p < 0.05 and result.gain <= -0.0005 for result in run) for run in results)
    if scenario in ("strong", "none"):
        assert gains >= 28 if scenario == "strong" else gains <= 3
    assert losses <= 3


@pytest.mark.slow
def test_false_gains_and_losses_are_rare_where_rewards_are_permuted_within_problems():
    results = [simulate("weak", seed, ["mse", "pg", "pairwise"], null=True) for seed in range(30)]
    for sign in (1, -1):
        assert sum(any(one.p < 0.05 and sign * one.gain >= 0.0005 for one in run) for run in results) <= 4
