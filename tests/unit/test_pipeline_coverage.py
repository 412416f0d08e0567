"""Coverage of the intervals, and error rates, of the whole pipeline on simulated samples.

Runs are kept in pytest's cache, so that a test that was interrupted continues; a change of the code makes them anew.
"""

from pathlib import Path

import pytest

from scripts.bench_intervals import SIGNALS, simulated


@pytest.fixture
def file(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("bench_intervals") / "runs.jsonl"


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SIGNALS)
def test_the_interval_of_a_gain_holds_the_true_gain_of_the_probes(scenario: str, file: Path):
    results = simulated(scenario, range(30), ["mse", "pg"], file=file)
    covered = [result.is_covered for run in results for result in run]
    assert sum(covered) / len(covered) >= 0.93
    gains = sum(any(result.p < 0.05 and result.gain >= 0.0005 for result in run) for run in results)
    losses = sum(any(result.p < 0.05 and result.gain <= -0.0005 for result in run) for run in results)
    if scenario in ("strong", "none"):
        assert gains >= 28 if scenario == "strong" else gains <= 3
    assert losses <= 3


@pytest.mark.slow
def test_false_gains_and_losses_are_rare_where_rewards_are_permuted_within_problems(file: Path):
    results = simulated("weak", range(30), ["mse", "pg", "pairwise"], null=True, file=file)
    for sign in (1, -1):
        assert sum(any(one.p < 0.05 and sign * one.gain >= 0.0005 for one in run) for run in results) <= 4


def test_results_that_a_file_holds_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "runs.jsonl"
    made = simulated("weak", [3], ["mse"], 1, file=file)
    file.write_text(file.read_text() + '{"about": ["cut')
    monkeypatch.setattr("scripts.bench_intervals.simulate", None)
    assert simulated("weak", [3], ["mse"], 1, file=file) == made
    for other in ({"objectives": ["ce"]}, {"seeds": [4]}, {"repeats": 2}, {"null": True}):
        changed = {"seeds": [3], "objectives": ["mse"], "repeats": 1, **other}
        with pytest.raises(TypeError, match="not callable"):
            simulated("weak", **changed, file=file)
