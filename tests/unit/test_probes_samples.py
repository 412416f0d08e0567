"""Samples are joined by id, and unusable ones are refused by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.probes import ProbeError, Samples, View
from harness.probes.synthetic import plant

VIEW = View(3, "mean")
IDS = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)]
REWARDS: dict[tuple[str, int], float | None] = {
    ("b", 2): 1.0,
    ("a", 1): 0.0,
    ("b", 0): None,
    ("a", 0): 1.0,
    ("b", 1): 0.0,
}


def vectors() -> np.ndarray:
    return np.arange(10, dtype=np.float32).reshape(5, 2)


def test_rows_are_joined_by_id_in_any_order():
    shuffled = [3, 0, 4, 2, 1]
    samples = Samples.join([IDS[i] for i in shuffled], {VIEW: vectors()[shuffled]}, REWARDS)
    a, b = samples.problem_ids.index("a"), samples.problem_ids.index("b")
    assert samples.vectors[VIEW][b, 2].tolist() == [8.0, 9.0]
    assert samples.vectors[VIEW][a, 1].tolist() == [2.0, 3.0]
    assert samples.rewards_PN[b].tolist() == [0.0, 0.0, 1.0]
    assert samples.mask_PN[b].tolist() == [False, True, True]  # b/0 was never graded
    assert samples.mask_PN[a].tolist() == [True, True, False]  # a has no third sample
    assert samples.indices_PN[a].tolist() == [0, 1, -1]


def test_rows_in_order_are_not_copied():
    rows = vectors()[:4]
    samples = Samples.join(IDS[:2] + IDS[2:4], {VIEW: rows}, {})
    rows[0, 0] = 42.0
    assert samples.vectors[VIEW][0, 0, 0] == 42.0


@pytest.mark.filterwarnings("error")
def test_vectors_may_be_mapped_from_a_file(tmp_path: Path):
    np.save(tmp_path / "rows.npy", vectors())
    samples = Samples.join(IDS, {VIEW: np.load(tmp_path / "rows.npy", mmap_mode="r")}, REWARDS)
    assert samples.vectors[VIEW][1, 2].tolist() == [8.0, 9.0]


def test_a_vector_that_is_not_finite_is_refused_by_name():
    rows = vectors()
    rows[3, 1] = np.nan
    with pytest.raises(ProbeError, match=r"sample 1 of b \(layer 3/mean\) is not finite"):
        Samples.join(IDS, {VIEW: rows}, REWARDS)


def test_a_graded_sample_without_a_vector_is_refused():
    with pytest.raises(ProbeError, match="1 graded samples have no vector"):
        Samples.join(IDS, {VIEW: vectors()}, REWARDS | {("c", 0): 1.0})


def test_a_repeated_id_and_a_missing_row_are_refused():
    with pytest.raises(ProbeError, match="two vectors"):
        Samples.join([*IDS[:4], IDS[0]], {VIEW: vectors()}, REWARDS)
    with pytest.raises(ProbeError, match="5 samples, but 4 vectors"):
        Samples.join(IDS, {VIEW: vectors()[:4]}, REWARDS)


def test_a_permutation_within_problems_keeps_each_ones_passes():
    samples = plant(30, 8, 2).samples
    mask_PN = torch.rand(30, 8, generator=torch.Generator().manual_seed(0)) < 0.8
    samples = replace(samples, mask_PN=mask_PN, rewards_PN=samples.rewards_PN * mask_PN)
    permuted = samples.shuffled(seed=5, within=True)
    assert torch.equal(permuted.rewards_PN.sum(1), samples.rewards_PN.sum(1))
    assert not permuted.rewards_PN[~mask_PN].any()
    assert (permuted.rewards_PN != samples.rewards_PN).any(1).float().mean() > 0.4
    places = torch.stack([samples.shuffled(seed, within=True).rewards_PN for seed in range(400)]).mean(0)
    expected_P1 = samples.rewards_PN.sum(1, keepdim=True) / mask_PN.sum(1, keepdim=True)
    torch.testing.assert_close(places, expected_P1 * mask_PN, atol=0.12, rtol=0)


def test_a_permutation_of_rewards_keeps_the_number_of_passes():
    samples = Samples.join(IDS, {VIEW: vectors()}, REWARDS)
    permuted = samples.shuffled(seed=5)
    assert permuted.rewards_PN.sum() == samples.rewards_PN.sum()
    assert not permuted.rewards_PN[~samples.mask_PN].any()
    assert torch.equal(permuted.rewards_PN, samples.shuffled(seed=5).rewards_PN)


def test_problems_without_signal_are_counted():
    rewards = {("a", 0): 1.0, ("a", 1): 1.0, ("b", 0): 0.0, ("b", 1): 1.0}
    assert Samples.join(IDS, {VIEW: vectors()}, rewards).without_signal() == 1


def test_the_digest_tells_samples_apart():
    samples = Samples.join(IDS, {VIEW: vectors()}, REWARDS)
    assert samples.digest() == Samples.join(IDS, {VIEW: vectors()}, REWARDS).digest()
    assert samples.digest() != Samples.join(IDS, {VIEW: vectors()}, REWARDS | {("a", 1): 1.0}).digest()


@pytest.mark.parametrize("reward", [2.0, -0.5, np.nan, np.inf])
def test_rewards_outside_0_to_1_are_refused(reward: float):
    with pytest.raises(ProbeError, match="The reward of sample 1 of a is"):
        Samples.join([("a", 0), ("a", 1)], {View(1, "last"): np.ones((2, 3))}, {("a", 0): 1.0, ("a", 1): reward})
