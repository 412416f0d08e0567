"""Random directions: scores of vectors alone, which know nothing."""

from dataclasses import replace

import numpy as np
import torch

from harness.probes import Grid, Schedule, TrainingPlan, cross_validate, cross_validations
from harness.probes.controls import draws_each, random_directions
from harness.probes.crossvalidation import joined_controls, random_control
from harness.probes.folds import assign_folds
from harness.probes.nested import Task, select_rules
from harness.probes.synthetic import plant
from harness.stats import SelectionRule, pass_at_1, selected_values, within_problem_auc

RULES = (SelectionRule(0.1),)


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
    control = result.controls["shuffled labels"]
    assert control.objectives == ("mse", "pg", "pairwise", "mse", "pg")
    for seed, control_PN in enumerate(control.scores_CPN):
        apart = cross_validations(samples.shuffled(seed), [objectives[seed % 3]], folds=3, plan=plan, seeds=[0])[0]
        # Within problems: the offset of an objective over pairs has a gradient of rounding errors alone.
        given = centred(torch.from_numpy(control_PN))
        torch.testing.assert_close(given, centred(apart.scores_OPN[0]), atol=1e-4, rtol=1e-3)


def test_the_draws_of_an_objective_are_divided_among_the_foldings():
    samples, objectives = plant(24, 8, 6, signal=3.0).samples, ["mse", "pg"]
    plan = TrainingPlan(grid=Grid(l2s=(0.1,), learning_rates=(3e-3,)), schedule=Schedule(epochs=2), rules=RULES)
    results = cross_validations(samples, objectives, folds=3, plan=plan, seeds=[4, 5], controls=6, controls_within=4)
    joined = joined_controls(results)
    assert joined["shuffled labels"].objectives == ("mse", "pg", "mse", "pg", "mse", "pg")
    assert joined["shuffled within problems"].objectives == ("mse", "pg") * 2
    assert [len(result.controls["shuffled labels"].objectives) for result in results] == [4, 2]
    within = samples.shuffled(2, within=True)
    (apart,) = cross_validations(within, ["mse"], folds=3, plan=plan, seeds=[5])
    own_PN = torch.from_numpy(results[1].controls["shuffled within problems"].scores_CPN[0])
    torch.testing.assert_close(centred(own_PN), centred(apart.scores_OPN[0]), atol=1e-4, rtol=1e-3)
    assert draws_each(8, 20) == 24
    assert draws_each(1, 20) == 20
    assert draws_each(30, 20) == 60, "each objective has two"


def test_random_directions_select_by_the_rule_of_the_inner_folds():
    """On vectors without information they select at random, where their arg max would lose by outliers that fail."""
    samples = plant(40, 10, 6, signal=0.0).samples
    generator = torch.Generator().manual_seed(1)
    far_PN = torch.rand(40, 10, generator=generator) < 0.2
    (vectors_PND,) = samples.vectors.values()
    vectors_PND[far_PN] *= 20
    samples = replace(samples, rewards_PN=samples.rewards_PN.masked_fill(far_PN, 0.0))
    fold_SP = [assign_folds(samples.problem_ids, 4, seed) for seed in (0, 1)]
    control = random_control(samples, fold_SP, (0, 1), draws=10)
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    base = pass_at_1(rewards_PN, mask_PN).mean()
    gain = selected_values(control.scores_CPN, rewards_PN, mask_PN, 0.1, control.limits_CP).mean() - base
    sharp = selected_values(control.scores_CPN, rewards_PN, mask_PN, 0.0, np.zeros_like(control.limits_CP)).mean()
    assert sharp - base < -0.1
    assert abs(gain) < 0.03
    truth_PN = plant(40, 10, 6, signal=4.0)
    chosen = select_rules(truth_PN.samples, truth_PN.truth_PN[None].double(), Task("", fold_SP[0] > 0), TrainingPlan())
    assert chosen[0].kl > 0.3, "scores that know are selected by sharply"
