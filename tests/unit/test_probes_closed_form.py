"""Reward modelling in closed form, against least squares on rows that carry the penalty, and training by gradients."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probes import (
    Grid,
    GridOverrides,
    Hyperparameters,
    Samples,
    Schedule,
    TrainingPlan,
    View,
    closed_form,
    cross_validate,
    load_probe,
    train_probes,
)
from harness.probes.batch import ProbeSpec
from harness.probes.closed_form import solve
from harness.probes.controls import Permutation, permuted_rewards
from harness.probes.crossvalidation import scores_of
from harness.probes.nested import Task, fit
from harness.probes.synthetic import PLANTED, plant
from harness.probes.training import Trained, measure, train
from harness.probes.validation import selection_figures
from harness.stats.rules import SelectionRule

RULES = (SelectionRule(0.1), SelectionRule(), SelectionRule(k=2))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(problems: int, samples: int, width: int, seed: int = 0) -> Samples:
    """Samples in float64, some ungraded, with a constant feature, two equal ones, and unlike means and scales."""
    own = plant(problems, samples, width, seed=seed).samples
    generator = torch.Generator().manual_seed(seed)
    vectors_PND = (own.vectors[PLANTED].double() + 5) * torch.logspace(-3, 3, width)
    vectors_PND[..., 0], vectors_PND[..., -1] = 7.1, vectors_PND[..., width // 2]
    mask_PN = torch.rand(own.mask_PN.shape, generator=generator) < 0.8
    mask_PN[0], mask_PN[1:, 0] = False, True
    rewards_PN = torch.rand(own.mask_PN.shape, generator=generator).where(mask_PN, 0.0)
    return replace(own, vectors={PLANTED: vectors_PND}, mask_PN=mask_PN, rewards_PN=rewards_PN)


def spec(train_P: torch.Tensor, l2: float, held_out_P: torch.Tensor | None = None, **options: Permutation) -> ProbeSpec:
    return ProbeSpec("mse", Hyperparameters((PLANTED,), l2=l2, learning_rate=0.0), train_P, held_out_P, **options)


def solved(samples: Samples, specs: list[ProbeSpec]) -> list[Trained]:
    return solve(samples, specs, RULES, measure(samples))


def all_scores(samples: Samples, trained: Trained) -> np.ndarray:
    return scores_of(samples, trained.probe, torch.arange(len(samples.problem_ids))).numpy()


def by_least_squares(samples: Samples, rewards_PN: torch.Tensor, train_P: torch.Tensor, l2: float) -> np.ndarray:
    """The scores [P, N] by numpy's least squares, with the offset as a column of ones and the penalty as rows."""
    graded_PN = (samples.mask_PN & train_P[:, None]).numpy()
    x_PND, rewards_PN = samples.vectors[PLANTED].numpy(), rewards_PN.double().numpy()
    rows_RD, rewards_R = x_PND[graded_PN], rewards_PN[graded_PN]
    mean_D, scale_D = rows_RD.mean(0), rows_RD.std(0)
    scale_D[scale_D <= 1e-7 * np.abs(mean_D)] = 1.0
    rows_RD = (rows_RD - mean_D) / scale_D
    count, width = rows_RD.shape
    penalty_DD = np.hstack([np.zeros((width, 1)), (count * l2) ** 0.5 * np.eye(width)])
    extended = np.vstack([np.hstack([np.ones((count, 1)), rows_RD]), penalty_DD])
    weights, *_ = np.linalg.lstsq(extended, np.concatenate([rewards_R, np.zeros(width)]), rcond=None)
    return np.asarray(weights[0] + (x_PND - mean_D) / scale_D @ weights[1:])


@given(
    problems=st.integers(3, 9),
    samples=st.integers(2, 6),
    width=st.integers(1, 40),
    l2=st.sampled_from([1e-4, 0.01, 1.0, 100.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_it_is_least_squares_with_more_and_with_fewer_samples_than_features(
    problems: int, samples: int, width: int, l2: float, seed: int
):
    made_samples = made(problems, samples, width, seed)
    train_P = torch.arange(problems) != problems - 1
    shuffled = Permutation(seed, within=bool(seed % 2))
    specs = [spec(train_P, l2), spec(train_P, 3 * l2), spec(train_P, l2, permutation=shuffled)]
    for own, trained in zip(specs, solved(made_samples, specs), strict=True):
        rewards_PN = permuted_rewards(made_samples, own.permutation)
        expected_PN = by_least_squares(made_samples, rewards_PN, train_P, own.hyperparameters.l2)
        there_PN = (made_samples.indices_PN >= 0).numpy()
        # A scale from sums of squares rounds where a feature hardly varies beside its mean.
        found_PN = all_scores(made_samples, trained)
        np.testing.assert_allclose(found_PN[there_PN], expected_PN[there_PN], rtol=1e-5, atol=1e-6)


def test_training_by_gradients_approaches_it():
    samples, l2 = made(60, 20, 8), 0.05
    train_P = torch.ones(60, dtype=torch.bool)
    (exact,) = solved(samples, [spec(train_P, l2)])
    by_gradients = replace(spec(train_P, l2), hyperparameters=Hyperparameters((PLANTED,), l2=l2, learning_rate=1e-2))
    (trained,) = train(samples, [by_gradients], Schedule(epochs=400, batches=1))
    mask_PN = samples.mask_PN.numpy()
    np.testing.assert_allclose(
        all_scores(samples, exact)[mask_PN], all_scores(samples, trained)[mask_PN], rtol=0, atol=1e-4
    )
    assert exact.probe.card.solver == "closed form"
    assert trained.probe.card.solver == "Adam"
    assert dict(exact.probe.card.training) == {"l2": l2}


def test_constant_features_make_no_difference_though_another_system_is_solved():
    """With them there are more features than samples."""
    samples, train_P = made(12, 8, 10), torch.arange(12) % 3 > 0
    wide = torch.cat([samples.vectors[PLANTED], torch.full((12, 8, 200), -3.3, dtype=torch.float64)], dim=2)
    (one,), (other,) = (
        solved(data, [spec(train_P, 0.1)]) for data in (samples, replace(samples, vectors={PLANTED: wide}))
    )
    np.testing.assert_allclose(all_scores(samples, one), all_scores(replace(samples, vectors={PLANTED: wide}), other))


def test_vectors_are_left_as_they_come_without_moments():
    samples, train_P = made(12, 8, 3), torch.ones(12, dtype=torch.bool)
    (trained,) = solve(samples, [spec(train_P, 0.5)], RULES, None)
    graded_PN = samples.mask_PN.numpy()
    rows_RD, rewards_R = samples.vectors[PLANTED].numpy()[graded_PN], samples.rewards_PN.double().numpy()[graded_PN]
    extended = np.vstack([np.hstack([np.ones((len(rows_RD), 1)), rows_RD]), np.zeros((3, 4))])
    extended[-3:, 1:] = (len(rows_RD) * 0.5) ** 0.5 * np.eye(3)
    weights, *_ = np.linalg.lstsq(extended, np.concatenate([rewards_R, np.zeros(3)]), rcond=None)
    expected_R = weights[0] + rows_RD @ weights[1:]
    np.testing.assert_allclose(all_scores(samples, trained)[graded_PN], expected_R, rtol=1e-6)


def of_folds(samples: Samples) -> list[ProbeSpec]:
    """Probes trained without two folds of three, validated on each, at two l2."""
    fold_P = torch.arange(len(samples.problem_ids)) % 4
    pairs = [(first, second) for first in range(4) for second in range(4) if first != second]
    return [
        spec((fold_P != first) & (fold_P != second), l2, fold_P == second)
        for l2 in (0.3, 3.0)
        for first, second in pairs
    ]


@pytest.mark.parametrize("width", [6, 80], ids=["more samples", "more features"])
def test_many_together_are_each_alone(width: int, monkeypatch: pytest.MonkeyPatch):
    samples = made(20, 6, width)
    together = solved(samples, of_folds(samples))
    monkeypatch.setattr(closed_form, "MOST_PARTS", 1)
    monkeypatch.setattr("harness.probes.samples.ROWS_AT_ONCE", 1)
    apart = [solved(samples, [own])[0] for own in of_folds(samples)]
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(all_scores(samples, one), all_scores(samples, other), atol=1e-9)
        np.testing.assert_allclose(one.curve_EBS, other.curve_EBS, atol=1e-9)


def test_the_curve_has_the_figures_of_the_held_out_problems():
    samples = made(20, 6, 8)
    for own, trained in zip(of_folds(samples), solved(samples, of_folds(samples)), strict=True):
        held_out_P = own.validate_P
        assert held_out_P is not None
        scores_MQN = torch.from_numpy(all_scores(samples, trained))[held_out_P][None]
        rewards_QN, mask_QN = samples.rewards_PN[held_out_P].double(), samples.mask_PN[held_out_P]
        expected_MBS = selection_figures(scores_MQN, rewards_QN, mask_QN, RULES)
        np.testing.assert_allclose(trained.curve_EBS, expected_MBS, atol=1e-5)


@pytest.mark.parametrize("width", [6, 80], ids=["more samples", "more features"])
def test_other_problems_do_not_change_a_bit(width: int):
    samples, specs = made(20, 6, width), of_folds(made(20, 6, width))
    one = solved(samples, specs)
    fold_P = torch.arange(20) % 4
    vectors_PND = samples.vectors[PLANTED].clone()
    vectors_PND[fold_P == 0] = 1e6 * torch.randn(5, 6, width, dtype=torch.float64)
    other = solved(replace(samples, vectors={PLANTED: vectors_PND}), specs)
    for own, first, second in zip(specs, one, other, strict=True):
        if not bool(own.train_P[fold_P == 0].any()):
            assert all(
                torch.equal(first.probe.weights[name], second.probe.weights[name]) for name in ("project", "offset")
            )


def test_nested_selection_solves_mse_and_trains_the_others():
    samples = plant(30, 8, 6, signal=3.0).samples
    quick = TrainingPlan(schedule=Schedule(epochs=4), inner_folds=2, inner_used=2)
    probes = train_probes(samples, ["mse", "ce"], plan=quick)
    assert {name: probe.card.solver for name, probe in probes.items()} == {"mse": "closed form", "ce": "Adam"}
    result = cross_validate(samples, ["mse"], folds=3, plan=quick, controls=1)
    chosen = result.chosen["mse"]
    assert {selected.epochs for selected in chosen} == {0}
    assert {selected.hyperparameters.learning_rate for selected in chosen} == {0.0}
    assert {selected.hyperparameters.l2 for selected in chosen} <= {10.0, 1.0, 0.1, 0.01}


def test_mse_selects_between_solved_lines_and_trained_perceptrons():
    """Exclusive or: no line has anything to learn."""
    generator = torch.Generator().manual_seed(0)
    vectors_PND = torch.randn(60, 20, 6, generator=generator)
    rewards_PN = (vectors_PND[..., 0] * vectors_PND[..., 1] > 0).float()
    mask_PN = torch.ones(60, 20, dtype=torch.bool)
    bent = Samples(
        tuple(map(str, range(60))), {PLANTED: vectors_PND}, rewards_PN, mask_PN, mask_PN.long().cumsum(1) - 1
    )
    plan = TrainingPlan(
        grid=Grid(forms=("linear", "mlp"), l2s=(1e-4,), learning_rates=(1e-2,)),
        schedule=Schedule(epochs=15),
        inner_folds=2,
        inner_used=2,
    )
    everything_P = torch.ones(60, dtype=torch.bool)
    (of_bent,) = fit(bent, [Task("mse", everything_P)], plan)
    (of_straight,) = fit(plant(60, 20, 6, signal=3.0).samples, [Task("mse", everything_P)], plan)
    assert (of_bent.probe.card.form, of_bent.probe.card.solver) == ("mlp", "Adam")
    assert (of_straight.probe.card.form, of_straight.probe.card.solver) == ("linear", "closed form")


def test_the_papers_training_and_learning_rates_of_ones_own_are_by_gradients(tmp_path: Path):
    samples = plant(10, 8, 6).samples
    paper = GridOverrides().plan("paper")
    quick = replace(paper, sample_wise=Schedule(epochs=2, groups=1000, samples=1, decay=False, standardise=False))
    for plan in (quick, replace(quick, grid=replace(quick.grid, forms=("linear",)))):
        (probe,) = train_probes(samples, ["mse"], plan=plan).values()
        assert probe.card.solver == "Adam"
        probe.save(tmp_path / "probe")
        assert load_probe(tmp_path / "probe").card.solver == "Adam"
    own_rates = GridOverrides(learning_rates=(1e-3,)).plan("nested")
    assert all(candidate.learning_rate == 1e-3 for candidate in own_rates.grid.candidates(samples, "mse"))
    own_l2s = GridOverrides(l2s=(5.0, 0.5)).plan("wide").grid.candidates(samples, "mse")
    assert [one.l2 for one in own_l2s if one.in_closed_form] == [5.0, 0.5]
    assert {one.form for one in own_l2s if not one.in_closed_form} == {"mlp", "mlp-2", "gated"}


@pytest.mark.parametrize("width", [1, 6])
def test_without_a_graded_sample_all_scores_are_equal(width: int):
    samples = made(8, 4, width)
    (trained,) = solved(samples, [spec(torch.arange(8) == 0, 0.1)])
    np.testing.assert_array_equal(all_scores(samples, trained), 0.0)


def test_views_of_unlike_width_are_solved_each():
    samples = made(20, 6, 5)
    other = View(3, "mean")
    both = replace(samples, vectors={**samples.vectors, other: made(20, 6, 90, seed=1).vectors[PLANTED]})
    train_P = torch.arange(20) % 4 > 0
    for view in both.views:
        hyperparameters = Hyperparameters((view,), l2=0.2, learning_rate=0.0)
        (trained,) = solved(both, [ProbeSpec("mse", hyperparameters, train_P)])
        alone = replace(both, vectors={PLANTED: both.vectors[view]})
        expected_PN = by_least_squares(alone, both.rewards_PN, train_P, 0.2)
        np.testing.assert_allclose(all_scores(both, trained), expected_PN, atol=1e-6)
