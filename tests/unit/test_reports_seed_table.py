"""The table beside the paper's: several seeds, selection among k samples, greedy and pass@k."""

import numpy as np
import pytest

from harness.reports.seed_table import seed_table
from harness.stats import UNLIMITED, best_of_k, pass_at_k, softmax_of_k
from harness.stats.selectors import ByScores


def test_a_row_is_the_mean_over_seeds_and_problems_with_k_samples():
    rng = np.random.default_rng(0)
    mask_PN = np.ones((30, 6), dtype=bool)
    mask_PN[:3, 3:] = False  # too few samples for k = 4
    rewards_PN = (rng.random((30, 6)) < 0.4).astype(float) * mask_PN
    soft_SPN, hard_SPN = rng.standard_normal((2, 3, 30, 6))
    probes = {
        "pg": [ByScores(scores_PN, 0.1) for scores_PN in soft_SPN],
        "mse": [ByScores(scores_PN, limits_P=UNLIMITED) for scores_PN in hard_SPN],
    }
    greedy_P = (rng.random(30) < 0.5).astype(float)
    table = seed_table(rewards_PN, mask_PN, probes, "pg", 4, range(5, 8), greedy_P)
    own = rewards_PN[3:], mask_PN[3:]
    by_seed = {
        "pg": [softmax_of_k(scores_PN[3:], *own, 4, 0.1) for scores_PN in soft_SPN],
        "mse": [best_of_k(scores_PN[3:], *own, [4])[:, 0] for scores_PN in hard_SPN],
        "pg (arg max)": [best_of_k(scores_PN[3:], *own, [4])[:, 0] for scores_PN in soft_SPN],
    }
    rows = {row.name: row for row in table.rows}
    assert list(rows) == ["pass@1", "greedy", "pg", "mse", "pg (arg max)", "pass@4"]
    for name, values in by_seed.items():
        assert rows[name].value == pytest.approx(np.mean(values))
        assert rows[name].gain == pytest.approx(np.mean(values) - own[0].mean())
        assert table.spread[name] == pytest.approx(np.std([one.mean() for one in values], ddof=1))
    assert rows["greedy"].value == greedy_P[3:].mean()
    assert rows["pass@4"].value == pytest.approx(pass_at_k(*own, 4).mean())
    assert (table.k, table.seeds) == (4, (5, 6, 7))
    pairs = {(item.name, item.other): item.value for item in table.differences}
    assert pairs["pg", "greedy"] == pytest.approx(np.mean(by_seed["pg"]) - greedy_P[3:].mean())
    assert pairs.keys() == {("pg", "mse"), ("pg", "greedy"), ("mse", "greedy"), ("pg (arg max)", "greedy")}


def test_one_seed_has_no_spread_and_pass_at_10_is_there_from_ten_samples_on():
    rng = np.random.default_rng(1)
    mask_PN = np.ones((8, 12), dtype=bool)
    rewards_PN = (rng.random((8, 12)) < 0.4).astype(float)
    table = seed_table(rewards_PN, mask_PN, {"ce": [ByScores(rng.random((8, 12)))]}, "ce", 12, [0])
    assert np.isnan(list(table.spread.values())).all()
    assert [row.name for row in table.rows] == ["pass@1", "ce", "ce (arg max)", "pass@10", "pass@12"]
    assert table.differences == []
