"""Random directions: scores of vectors alone, which know nothing."""

import numpy as np
import torch

from harness.probes import Grid, Schedule, TrainingPlan, cross_validate, cross_validations
from harness.probes.controls import random_directions
from harness.probes.synthetic import plant
from harness.stats import SelectionRule, within_problem_auc


def test_random_directions_know_nothing_of_a_planted_one():
    samples = plant(60, 30, 64, signal=4.0).samples
    scores_CPN = random_directions(samples, 40, seed=1)
    assert scores_CPN.shape == (40, 60, 30)
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    aucs = [np.nanmean(within_problem_auc(scores_PN.numpy(), rewards_PN, mask_PN)) for scores_PN in scores_CPN]
    assert abs(np.mean(aucs) - 0.5) < 0.05


def test_they_are_linear_in_standardised_vectors_and_do_not_see_rewards():
    samples = plant(20, 10, 8).samples
    scores_CPN = random_directions(samples, 3)
    scaled = {view: vectors * 7 - 3 for view, vectors in samples.vectors.items()}
    other = type(samples)(samples.problem_ids, scaled, 1 - samples.rewards_PN, samples.mask_PN, samples.indices_PN)
    torch.testing.assert_close(random_directions(other, 3), scores_CPN, atol=1e-4, rtol=1e-4)
    vectors_RD = next(iter(samples.vectors.values())).flatten(0, 1).double()
    design = torch.cat([vectors_RD, torch.ones(len(vectors_RD), 1, dtype=torch.float64)], 1).numpy()
    for scores_PN in scores_CPN:
        _, residual, *_ = np.linalg.lstsq(design, scores_PN.flatten().numpy(), rcond=None)
        assert residual[0] < 1e-12
    assert scores_CPN.std() > 0.2


def centred(scores_PN: torch.Tensor) -> torch.Tensor:
    return scores_PN - scores_PN.mean(dim=1, keepdim=True)


def test_every_objective_is_controlled_on_its_own_permutation():
    """Each control is the probe of its objective on the samples with permuted labels, trained beside the others."""
    samples, objectives = plant(24, 8, 6, signal=3.0).samples, ["mse", "pg", "pairwise"]
    plan = TrainingPlan(
        grid=Grid(l2s=(0.1,), learning_rates=(3e-3,)), schedule=Schedule(epochs=4), rules=(SelectionRule(0.1),)
    )
    result = cross_validate(samples, objectives, folds=3, plan=plan, controls=5)
    assert result.control_CPN.shape[0] == 5
    for seed, control_PN in enumerate(result.control_CPN):
        apart = cross_validations(samples.shuffled(seed), [objectives[seed % 3]], folds=3, plan=plan, seeds=[0])[0]
        # Within problems: the offset of an objective over pairs has a gradient of rounding errors alone.
        torch.testing.assert_close(centred(control_PN), centred(apart.scores_OPN[0]), atol=1e-4, rtol=1e-3)
