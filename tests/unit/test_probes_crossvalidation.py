"""Cross-validation: honest splits, a planted direction recovered, planted difficulty alone worth nothing."""

import numpy as np
import pytest
import torch

from harness.numbers import pass_at_1, softmax_selection
from harness.probes import ProbeError, Samples, View, cross_validate
from harness.probes.folds import assign_folds

VIEW = View(12, "last")


def planted(problems: int = 120, samples: int = 20, width: int = 64, signal: float = 2.0, seed: int = 0) -> Samples:
    """Samples whose chance to pass is a logistic function of one direction and of the problem's difficulty."""
    rng = np.random.default_rng(seed)
    direction_D = rng.standard_normal(width) / width**0.5
    vectors_RD = rng.standard_normal((problems * samples, width)).astype(np.float32)
    difficulty_R = np.repeat(rng.standard_normal(problems), samples)
    chance_R = 1 / (1 + np.exp(1 + difficulty_R - signal * vectors_RD @ direction_D))
    rewards_R = (rng.random(problems * samples) < chance_R).astype(float)
    ids = [(f"p{row // samples}", row % samples) for row in range(problems * samples)]
    return Samples.join(ids, {VIEW: 3 * vectors_RD + 5}, dict(zip(ids, rewards_R, strict=True)))


def gain(samples: Samples, scores_PN: torch.Tensor, beta: float = 0.1) -> float:
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    probed_P = softmax_selection(scores_PN.numpy(), rewards_PN, mask_PN, beta)
    return float((probed_P - pass_at_1(rewards_PN, mask_PN)).mean())


@pytest.mark.parametrize(("problems", "folds"), [(10, 5), (11, 5), (14, 5), (7, 7), (164, 3)])
def test_fold_sizes_differ_by_at_most_one_problem(problems: int, folds: int):
    fold_P = assign_folds([f"p{i}" for i in range(problems)], folds, seed=3)
    sizes = torch.bincount(fold_P, minlength=folds)
    assert sizes.sum() == problems
    assert sizes.max() - sizes.min() <= 1


def test_folds_depend_on_the_seed_alone():
    names = [f"p{i}" for i in range(50)]
    assert torch.equal(assign_folds(names, 5, seed=1), assign_folds(names, 5, seed=1))
    assert not torch.equal(assign_folds(names, 5, seed=1), assign_folds(names, 5, seed=2))


def test_fewer_problems_than_folds_is_refused():
    with pytest.raises(ProbeError, match="3 problems cannot make 5 folds"):
        assign_folds(["a", "b", "c"], 5, seed=0)


def test_a_planted_direction_gains_and_the_shuffled_control_does_not():
    samples = planted()
    result = cross_validate(samples, ["mse", "ce", "pg"])
    for name in result.objectives:
        assert gain(samples, result.scores_of(name)) > 0.2
    assert abs(np.mean([gain(samples, control_PN) for control_PN in result.control_CPN])) < 0.03


def test_the_same_seed_gives_the_same_scores():
    samples = planted(problems=20)
    assert torch.equal(cross_validate(samples, seed=4).scores_OPN, cross_validate(samples, seed=4).scores_OPN)
