"""Cross-validation: honest splits, and gains where and only where the vectors carry a signal."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probes import (
    DEFAULT_OBJECTIVES,
    CrossValidation,
    Grid,
    ProbeError,
    Samples,
    Schedule,
    TrainingPlan,
    View,
    cross_validate,
    cross_validations,
)
from harness.probes.crossvalidation import default_foldings, held_out_scores, usable_seeds
from harness.probes.folds import assign_folds, default_folds
from harness.probes.nested import Task, fit
from harness.probes.synthetic import PLANTED, plant
from harness.stats import SelectionRule, Summary, best_of_k, summarise, within_problem_auc

GRID = Grid(l2s=(0.1, 0.001), learning_rates=(3e-3,))
QUICK = TrainingPlan(grid=GRID, schedule=Schedule(epochs=12, patience=4), inner_folds=3, inner_used=1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def summary(samples: Samples, result: CrossValidation) -> Summary:
    scores = {name: result.scores_of(name).numpy() for name in result.objectives}
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    return summarise(rewards_PN, mask_PN, scores, controls=result.controls, resamples=500)


@given(st.integers(2, 60), st.integers(2, 8), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_fold_sizes_differ_by_at_most_one_problem(problems: int, folds: int, seed: int):
    if problems < folds:
        return
    sizes = torch.bincount(assign_folds([f"p{i}" for i in range(problems)], folds, seed), minlength=folds)
    assert sizes.sum() == problems
    assert sizes.max() - sizes.min() <= 1


def test_folds_depend_on_the_seed_alone():
    names = [f"p{i}" for i in range(50)]
    assert torch.equal(assign_folds(names, 5, seed=1), assign_folds(names, 5, seed=1))
    assert not torch.equal(assign_folds(names, 5, seed=1), assign_folds(names, 5, seed=2))


def test_a_group_of_problems_shares_a_fold():
    names = [f"p{i}" for i in range(40)]
    groups = {name: i // 4 for i, name in enumerate(names)}
    fold_P = assign_folds(names, 5, seed=0, groups=groups)
    assert all(len(set(fold_P[start : start + 4].tolist())) == 1 for start in range(0, 40, 4))
    assert torch.bincount(fold_P).tolist() == [8] * 5


def test_as_many_folds_as_problems_make():
    assert [default_folds(problems) for problems in (1, 2, 3, 5, 164)] == [2, 2, 3, 5, 5]


@pytest.mark.parametrize(("folds", "message"), [(5, "5 folds need as many problems, not 3"), (1, "at least two folds")])
def test_too_few_problems_or_folds_are_refused(folds: int, message: str):
    with pytest.raises(ProbeError, match=message):
        assign_folds(["a", "b", "c"], folds, seed=0)


@pytest.mark.parametrize(("problems", "count"), [(0, 10), (60, 10), (2000, 10), (4000, 5), (40_000, 2), (10**6, 2)])
def test_many_problems_are_cross_validated_less_often(problems: int, count: int):
    assert default_foldings(problems) == count


def test_every_objective_finds_the_planted_direction_and_its_gain():
    planted = plant(150, 20, 32, signal=3.0)
    samples = planted.samples
    result = cross_validate(samples, DEFAULT_OBJECTIVES, plan=QUICK, controls=0)
    table = summary(samples, result)
    rewards_PN, mask_PN, truth_PN = samples.rewards_PN.double(), samples.mask_PN, planted.truth_PN.double()
    possible = best_of_k(truth_PN.numpy(), rewards_PN.numpy(), mask_PN.numpy(), [20]).mean() - rewards_PN.mean()
    truth_auc = float(np.nanmean(within_problem_auc(truth_PN.numpy(), rewards_PN.numpy(), mask_PN.numpy())))
    for name in DEFAULT_OBJECTIVES:
        centred_PN = result.scores_of(name) - result.scores_of(name).mean(1, keepdim=True)
        centred_truth_PN = truth_PN - truth_PN.mean(1, keepdim=True)
        for fold in range(5):  # the temperatures of folds may differ
            pair = [values_PN[result.fold_P == fold].flatten() for values_PN in (centred_PN, centred_truth_PN)]
            assert torch.corrcoef(torch.stack(pair))[0, 1] > 0.8, name
        assert table[name].auc > truth_auc - 0.05, name
        assert table[name].gain > 0.8 * possible, name
        assert table[name].p_holm < 0.05, name


def test_a_control_gains_nothing():
    planted = plant(150, 20, 32, signal=3.0)
    row = summary(planted.samples, cross_validate(planted.samples, ["mse"], plan=QUICK, controls=8))["shuffled labels"]
    assert row.gain_low < 0 < row.gain_high


def test_difficulty_alone_is_worth_nothing():
    """The vectors show how hard a problem is and nothing about its samples: within problems there is no signal."""
    samples = plant(200, 20, 16, signal=0.0, difficulty=2.0, shown=2.0).samples
    one_temperature = replace(QUICK, rules=(SelectionRule(0.1),))
    result = cross_validate(samples, ["mse", "ce", "pg", "pairwise"], plan=one_temperature, controls=0)
    table = summary(samples, result)
    mse_PN = result.scores_of("mse")
    assert np.corrcoef(mse_PN.mean(1), samples.rewards_PN.mean(1))[0, 1] > 0.7  # difficulty itself is learnt
    for name in result.objectives:
        assert table[name].auc == pytest.approx(0.5, abs=0.05)
        assert table[name].gain_low < 0.01


def test_a_leak_between_folds_would_show():
    """Each problem has its own direction of passes, which is useless on other problems and decisive in a leak."""
    generator = torch.Generator().manual_seed(0)
    problems, samples, width = 60, 40, 400
    own_PD = torch.nn.functional.normalize(torch.randn(problems, width, generator=generator))
    vectors_PND = torch.randn(problems, samples, width, generator=generator)
    rewards_PN = ((vectors_PND * own_PD[:, None]).sum(-1) > 0).float()
    vectors_PND += 12 * rewards_PN[..., None] * own_PD[:, None]
    indices_PN = torch.arange(samples).expand(problems, samples)
    honest = Samples(
        tuple(f"p{i}" for i in range(problems)), {PLANTED: vectors_PND}, rewards_PN, indices_PN >= 0, indices_PN
    )
    halves = Samples(  # the same rows, each problem cut in two "problems": a split by rows
        tuple(f"p{i}/{half}" for i in range(problems) for half in (0, 1)),
        {PLANTED: vectors_PND.reshape(2 * problems, samples // 2, width)},
        rewards_PN.reshape(2 * problems, -1),
        indices_PN.reshape(2 * problems, -1) >= 0,
        indices_PN.reshape(2 * problems, -1),
    )
    by_problem, by_row = (
        summary(data, cross_validate(data, ["pairwise"], plan=QUICK, controls=0, seed=1))["pairwise"].auc
        for data in (honest, halves)
    )
    assert by_problem == pytest.approx(0.5, abs=0.1)  # over seeds: 0.493, standard deviation 0.053
    assert by_row > 0.65
    groups = {name: int(name[1:].split("/")[0]) for name in halves.problem_ids}
    grouped = cross_validate(halves, ["pairwise"], plan=QUICK, controls=0, seed=1, groups=groups)
    assert summary(halves, grouped)["pairwise"].auc == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("inner", [QUICK, replace(QUICK, inner_used=3)], ids=["drawn", "other folds"])
def test_nothing_of_a_held_out_problem_reaches_the_probe_that_scores_it(inner: TrainingPlan):
    """Rewards of a whole fold, and vectors of half of it, are changed: the other half is scored as before."""
    samples = plant(20, 8, 6, signal=3.0).samples
    fold_P = assign_folds(samples.problem_ids, 4, seed=0)
    spoilt, other = (fold_P == 2).nonzero().flatten().tensor_split([2])
    before = replace(samples, vectors={PLANTED: samples.vectors[PLANTED].double()})
    after = replace(before, vectors={PLANTED: before.vectors[PLANTED].clone()}, rewards_PN=samples.rewards_PN.clone())
    after.vectors[PLANTED][spoilt] *= 100
    after.rewards_PN[fold_P == 2] = 1 - after.rewards_PN[fold_P == 2]
    one, two = (cross_validate(data, ["mse", "pg"], folds=4, plan=inner, controls=0) for data in (before, after))
    torch.testing.assert_close(two.scores_OPN[:, other], one.scores_OPN[:, other], rtol=1e-6, atol=1e-8)
    assert not torch.allclose(two.scores_OPN[:, fold_P != 2], one.scores_OPN[:, fold_P != 2], rtol=1e-2)


def test_what_is_chosen_is_judged_on_problems_held_out_within_the_fold():
    """More features than samples and nothing in them: what a probe has learnt by heart must not look like skill."""
    samples = plant(16, 8, 256, signal=0.0, difficulty=0.0).samples
    result = cross_validate(samples, ["pg"], folds=2, plan=replace(QUICK, inner_used=3), controls=0)
    pass_at_1 = float(samples.rewards_PN.mean())
    assert all(selected.figure < pass_at_1 + 0.3 for selected in result.chosen["pg"])  # learnt by heart: 1


def test_a_probe_that_saw_a_problem_may_not_score_it():
    samples = plant(6, 4, 3).samples
    fold_P = torch.tensor([0, 0, 0, 1, 1, 1])
    leaky_P = torch.tensor([True, False, False, True, True, True])  # fold 0 is tested on problem 0, and learnt from it
    (fitted,) = fit(samples, [Task("mse", leaky_P)], replace(QUICK, inner_folds=2))
    with pytest.raises(ProbeError, match="fold 0 learnt from problems"):
        held_out_scores(samples, [fitted], fold_P, 0.1)


def test_the_same_seed_gives_the_same_scores_alone_or_among_others():
    samples = plant(20, 10, 8).samples
    in_double = {view: vectors.double() for view, vectors in samples.vectors.items()}  # rounding could tip a choice
    samples = replace(samples, vectors=in_double)
    alone = cross_validate(samples, ["mse", "pg"], seed=4, plan=QUICK, controls=1)
    again = cross_validate(samples, ["mse", "pg"], seed=4, plan=QUICK, controls=1)
    assert torch.equal(alone.scores_OPN, again.scores_OPN)
    among = cross_validations(samples, ["pg", "mse"], seeds=[3, 4], plan=QUICK)[1]
    assert torch.equal(among.fold_P, alone.fold_P)
    torch.testing.assert_close(among.scores_of("pg"), alone.scores_of("pg"), rtol=1e-6, atol=1e-8)


def test_nested_selection_finds_the_layer_that_knows():
    planted = plant(60, 20, 16, signal=3.0)
    noise = View(3, "mean")
    noise_PND = torch.randn(60, 20, 16, generator=torch.Generator().manual_seed(1))
    both = replace(planted.samples, vectors={noise: noise_PND, **planted.samples.vectors})
    result = cross_validate(both, ["mse"], plan=QUICK, controls=0)
    assert {selected.hyperparameters.views for selected in result.chosen["mse"]} == {(PLANTED,)}


def test_scores_carry_the_temperature_chosen_in_their_fold():
    samples = plant(30, 10, 8, signal=3.0).samples
    sharp = replace(QUICK, rules=(SelectionRule(0.01),))
    blunt = replace(QUICK, rules=(SelectionRule(1.0),))
    sharp_result, blunt_result = (cross_validate(samples, ["mse"], plan=plan, controls=0) for plan in (sharp, blunt))
    assert sharp_result.scores_OPN.std() > 20 * blunt_result.scores_OPN.std()


def test_the_papers_preset_chooses_nothing():
    samples = plant(12, 20, 8).samples
    paper = cross_validate(samples, ["mse", "pg"], folds=3, plan="paper", controls=0)
    selected = paper.chosen["pg"][0]
    assert (
        selected.epochs,
        selected.hyperparameters.learning_rate,
        selected.hyperparameters.l2,
        selected.temperature,
    ) == (150, 5e-5, 0.0, 0.1)
    two = replace(samples, vectors={**samples.vectors, View(1, "last"): samples.vectors[PLANTED]})
    with pytest.raises(ProbeError, match=r"2 candidates .*: embed with one layer and one pooling"):
        cross_validate(two, ["mse"], folds=3, plan="paper")


def test_one_sided_training_problems_are_refused():
    samples = plant(10, 5, 4).samples
    never = replace(samples, rewards_PN=torch.zeros_like(samples.rewards_PN))
    with pytest.raises(ProbeError, match="no passing sample"):
        cross_validate(never, ["mse"], plan=QUICK)


def test_all_pass_and_all_fail_problems_stay_in_the_average():
    samples = plant(30, 8, 6).samples
    rewards_PN = samples.rewards_PN.clone()
    rewards_PN[:5], rewards_PN[5:8] = 1.0, 0.0
    samples = replace(samples, rewards_PN=rewards_PN)
    result = cross_validate(samples, ["mse"], plan=QUICK, controls=0)
    assert result.without_signal >= 8
    assert summary(samples, result)["pass@1"].value == pytest.approx(float(rewards_PN.mean()))


def test_forms_and_views_are_chosen_between():
    """Rewards are an exclusive or of two features of one view: only hidden layers over that view can tell."""
    generator = torch.Generator().manual_seed(0)
    vectors_PND = torch.randn(60, 16, 5, generator=generator)
    rewards_PN = (vectors_PND[..., 0] * vectors_PND[..., 1] > 0).float()
    views = {View(1, "mean"): torch.randn(60, 16, 5, generator=generator), PLANTED: vectors_PND}
    indices_PN = torch.arange(16).expand(60, 16)
    samples = Samples(tuple(map(str, range(60))), views, rewards_PN, indices_PN >= 0, indices_PN)
    grid = Grid(forms=("linear", "mlp"), l2s=(1e-3,), learning_rates=(1e-4, 1e-2))
    plan = TrainingPlan(grid=grid, schedule=Schedule(epochs=40, patience=20), inner_folds=4, inner_used=1)
    folds = cross_validate(samples, ["ce"], folds=2, plan=plan, controls=0).chosen["ce"]
    assert {(selected.hyperparameters.form, selected.hyperparameters.views) for selected in folds} == {
        ("mlp", (PLANTED,))
    }
    assert all(selected.figure > 0.9 and selected.hyperparameters.learning_rate == 1e-2 for selected in folds)


def test_a_gate_over_views_of_unequal_width_is_refused():
    samples = plant(20, 5, 4).samples
    uneven = replace(samples, vectors={**samples.vectors, View(1, "mean"): torch.zeros(20, 5, 3)})
    with pytest.raises(ProbeError, match="gated probe reads vectors of one width"):
        cross_validate(uneven, ["mse"], plan=replace(QUICK, grid=Grid(forms=("gated",))))


def test_folds_that_leave_nothing_to_learn_from_are_left_out():
    """One pass of two problems: where both are held out together, the other folds hold failures alone."""
    samples = plant(8, 4, 6).samples
    rewards_PN = torch.zeros_like(samples.rewards_PN)
    rewards_PN[0, 0] = rewards_PN[1, 0] = 1.0
    samples = replace(samples, rewards_PN=rewards_PN)
    folds = {seed: assign_folds(samples.problem_ids, 4, seed) for seed in range(20)}
    apart = [seed for seed, fold_P in folds.items() if fold_P[0] != fold_P[1]]
    assert 0 < len(apart) < 20
    assert usable_seeds(samples, 4, range(20)) == apart
    assert usable_seeds(replace(samples, rewards_PN=torch.zeros_like(rewards_PN)), 4, range(3)) == [0, 1, 2]
