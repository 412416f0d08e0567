"""Ridge regression within problems and the stacked probe, against loops over pairs of samples."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.probes import Grid, GridOverrides, Samples, TrainingPlan, View, cross_validate, load_probe, train_probes
from harness.probes.added_features import with_features
from harness.probes.nested import Task, fit
from harness.probes.objectives import Context, copg
from harness.probes.ridge import Deviations, ridge
from harness.probes.stacking import FEATURES_L2, SCORES_L2
from harness.probes.synthetic import PLANTED, plant
from harness.stats import within_problem_auc

OTHER = View(3, "mean")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def with_holes(seed: int = 0, problems: int = 20, features: Sequence[str] = ()) -> Samples:
    """Two views of unlike scale, a constant number in one of them, and samples without a verdict."""
    samples = plant(problems, 8, 6, signal=3.0, seed=seed).samples
    generator = torch.Generator().manual_seed(seed)
    mask_PN = torch.rand(samples.mask_PN.shape, generator=generator) < 0.8
    mask_PN[0], mask_PN[1, 1:] = False, False
    noise_PND = 50 * torch.randn(problems, 8, 6, generator=generator)
    noise_PND[..., 2], noise_PND[..., 0] = 7.0, samples.vectors[PLANTED][..., 1]
    samples = replace(samples, vectors={PLANTED: samples.vectors[PLANTED], OTHER: noise_PND}, mask_PN=mask_PN)
    lengths_PN = 50 + 40 * np.random.default_rng(seed).random((problems, 8))
    return (
        with_features(samples, features, {"length": lengths_PN, "logprob": -lengths_PN / 90}) if features else samples
    )


def by_pairs(columns_PNC: np.ndarray, samples: Samples, problems: Sequence[int], l2: float | list[float]) -> np.ndarray:
    """The weights [C] of least squares over pairs of samples: the variance is a mean of squared differences."""
    rows, targets, own = [], [], []
    for p in problems:
        graded = [n for n in range(8) if samples.mask_PN[p, n]]
        own += [p] if len(graded) > 1 else []
        for i, j in combinations(graded, 2):
            weight = (len(graded) * (len(graded) - 1)) ** -0.5
            rows.append(weight * (columns_PNC[p, i] - columns_PNC[p, j]))
            targets.append(weight * float(samples.rewards_PN[p, i] - samples.rewards_PN[p, j]))
    rows_RC, targets_R = np.array(rows) / len(own) ** 0.5, np.array(targets) / len(own) ** 0.5
    scale_C = np.sqrt((rows_RC**2).sum(0))
    scale_C[scale_C == 0] = 1.0
    width = len(scale_C)
    extended = np.concatenate([rows_RC / scale_C, np.diag(np.broadcast_to(l2, width) ** 0.5)])
    weights_C, *_ = np.linalg.lstsq(extended, np.concatenate([targets_R, np.zeros(width)]), rcond=None)
    return np.asarray(weights_C / scale_C)


def as_numpy(samples: Samples, view: View) -> np.ndarray:
    return samples.vectors[view].double().numpy()


def test_ridge_is_least_squares_over_pairs():
    samples = with_holes()
    train_SP = torch.rand(3, 20, generator=torch.Generator().manual_seed(1)) < 0.6
    for view, vectors_PND in samples.vectors.items():
        weights_SLKD = ridge(
            Deviations.of(vectors_PND, samples.mask_PN), samples.rewards_PN[None], train_SP, [0.01, 1.0]
        )
        for train_P, weights_LKD in zip(train_SP, weights_SLKD, strict=True):
            for l2, weights_KD in zip([0.01, 1.0], weights_LKD, strict=True):
                expected_D = by_pairs(as_numpy(samples, view), samples, train_P.nonzero().flatten().tolist(), l2)
                np.testing.assert_allclose(weights_KD[0].numpy(), expected_D, rtol=1e-3, atol=1e-5)


def test_ridge_minimises_the_loss_of_copg():
    samples, l2 = with_holes(2), 0.3
    vectors = Deviations.of(samples.vectors[PLANTED], samples.mask_PN)
    train_SP = torch.arange(20)[None] < 15
    weights_D = ridge(vectors, samples.rewards_PN[None], train_SP, [l2])[0, 0, 0].requires_grad_()
    mask_PN = samples.mask_PN & train_SP[0][:, None]
    scores_PN = samples.vectors[PLANTED].double() @ weights_D
    deviations_PND = vectors.vectors_PND.double() * mask_PN[..., None]
    variances_PD = deviations_PND.square().sum(1) / (mask_PN.sum(1, keepdim=True) - 1).clamp(min=1)
    variances_D = variances_PD[mask_PN.sum(1) > 1].mean(0)
    loss = copg(scores_PN, samples.rewards_PN.double(), mask_PN, Context(1.0, 0.0))
    (gradient_D,) = torch.autograd.grad(loss + l2 * (weights_D.square() * variances_D).sum(), weights_D)
    assert gradient_D.abs().max() < 1e-6


def naive_scores(samples: Samples, train: list[int], folds: list[list[int]], l2: float) -> np.ndarray:
    """The scores [P, N] of a stacked probe, up to a constant of each problem: every part of it trained by itself."""
    width = 6
    views = [as_numpy(samples, view) for view in samples.views]
    features_PNF = np.mean([each[..., width:] for each in views], axis=0)
    columns_PNV = np.zeros((20, 8, len(views)))
    for fold in folds:
        others = [p for p in train if p not in fold]
        for v, each in enumerate(views):
            columns_PNV[fold, :, v] = each[fold][..., :width] @ by_pairs(each[..., :width], samples, others, l2)
    columns_PNC = np.concatenate([columns_PNV, features_PNF], axis=2)
    l2_C = [SCORES_L2] * len(views) + [FEATURES_L2] * samples.features
    combination_C = by_pairs(columns_PNC, samples, train, l2_C)
    final = [each[..., :width] @ by_pairs(each[..., :width], samples, train, l2) for each in views]
    return np.concatenate([np.stack(final, axis=2), features_PNF], axis=2) @ combination_C


@pytest.mark.parametrize("features", [(), ("length", "centrality")])
def test_stacked_is_a_combination_of_probes_trained_without_the_inner_fold(features: tuple[str, ...]):
    samples = with_holes(4, features=features)
    fold_P = torch.arange(20) % 4
    train_P = fold_P > 0
    plan = TrainingPlan(grid=Grid(ridge_l2s=(0.5,)))
    (fitted,) = fit(samples, [Task("stacked", train_P, inner_P=fold_P)], plan)
    folds = [(fold_P == fold).nonzero().flatten().tolist() for fold in (1, 2, 3)]
    expected_PN = naive_scores(samples, train_P.nonzero().flatten().tolist(), folds, 0.5)
    scores_PN = fitted.probe([samples.vectors[view] for view in samples.views]).double().numpy()
    for p in range(20):
        there = samples.mask_PN[p].numpy()
        if there.any():
            centred, own = (each[p, there] - each[p, there].mean() for each in (scores_PN, expected_PN))
            np.testing.assert_allclose(centred, own, atol=2e-4)
    assert fitted.probe.card.views == samples.views
    assert fitted.probe.card.width == 6 + len(features)


def test_scores_of_a_fold_depend_on_no_reward_in_it():
    samples = with_holes(5, features=("logprob",))
    result = cross_validate(samples, ["stacked"], controls=0)
    here_P = result.fold_P == 2
    changed = samples.rewards_PN.clone()
    changed[here_P] = 1 - changed[here_P]
    other = cross_validate(replace(samples, rewards_PN=changed), ["stacked"], controls=0)
    assert torch.equal(result.scores_OPN[:, here_P], other.scores_OPN[:, here_P])
    assert not torch.allclose(result.scores_OPN[:, ~here_P], other.scores_OPN[:, ~here_P])


def test_a_probe_is_the_same_beside_others():
    samples = with_holes(6)
    together = cross_validate(samples, ["copg", "stacked"], controls=4, plan=TrainingPlan(grid=Grid(l2s=(0.1,))))
    alone = cross_validate(samples, ["stacked"], controls=0)
    torch.testing.assert_close(together.scores_of("stacked"), alone.scores_of("stacked"), rtol=1e-5, atol=1e-7)
    assert together.chosen["stacked"] == alone.chosen["stacked"]


def mean_auc(samples: Samples, scores_PN: Tensor) -> float:
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    return float(np.nanmean(within_problem_auc(scores_PN.numpy(), rewards_PN, mask_PN)))


def test_what_two_views_know_each_in_part_is_put_together():
    planted = plant(120, 10, 8, signal=4.0, seed=1)
    whole_PND = planted.samples.vectors[PLANTED]
    halves = {PLANTED: whole_PND.clone(), OTHER: whole_PND.clone()}
    halves[PLANTED][..., :4], halves[OTHER][..., 4:] = 0.0, 0.0
    both = replace(planted.samples, vectors=halves)
    single = [replace(both, vectors={view: vectors}) for view, vectors in halves.items()]
    aucs = [
        mean_auc(samples, cross_validate(samples, ["stacked"], controls=0).scores_of("stacked"))
        for samples in (both, *single)
    ]
    assert aucs[0] > max(aucs[1:]) + 0.03
    assert aucs[0] > 0.97 * mean_auc(both, planted.truth_PN.double())


def test_without_a_signal_selection_is_as_good_as_random():
    samples = plant(60, 8, 20, signal=0.0, difficulty=0.0).samples
    result = cross_validate(samples, ["stacked"], controls=0)
    assert abs(mean_auc(samples, result.scores_of("stacked")) - 0.5) < 0.08
    soft = [selected.rule.k == 1 or selected.rule.temperature >= 10 for selected in result.chosen["stacked"]]
    assert sum(soft) >= 3


def test_the_saved_probe_is_linear_over_all_views(tmp_path: Path):
    samples = with_holes(7, features=("length",))
    probe = train_probes(samples, ["stacked"])["stacked"]
    probe.save(tmp_path / "stacked.safetensors")
    loaded = load_probe(tmp_path / "stacked.safetensors")
    views = [samples.vectors[view] for view in loaded.card.views]
    assert loaded.card.form == "linear"
    assert torch.equal(loaded(views), probe(views))
    by_hand = sum(
        (view.double() @ weights_HD[0].double() + offset_H[0].double())
        for view, weights_HD, offset_H in zip(views, loaded.weights["project"], loaded.weights["offset"], strict=True)
    )
    torch.testing.assert_close(loaded(views).double(), by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("choices", "form", "l2"),
    [
        (GridOverrides(l2s=(0.0,)), "linear", 0.0),
        (GridOverrides(l2s=(4.0,)), "linear", 4.0),
        (GridOverrides(forms=("mlp",)), "mlp", None),
    ],
)
def test_l2_and_form_asked_for(choices: GridOverrides, form: str, l2: float | None):
    samples = with_holes(8)
    plan = choices.plan("nested")
    result = cross_validate(samples, ["stacked"], plan=plan, controls=0)
    assert {selected.hyperparameters.form for selected in result.chosen["stacked"]} == {form}
    assert result.scores_OPN.isfinite().all()
    if l2 is not None:
        assert {selected.hyperparameters.l2 for selected in result.chosen["stacked"]} == {l2}


def test_the_paper_s_preset_trains_it_by_gradients():
    samples = replace(with_holes(9), vectors={PLANTED: with_holes(9).vectors[PLANTED]})
    result = cross_validate(samples, ["stacked"], plan="paper", controls=0)
    assert {selected.epochs for selected in result.chosen["stacked"]} == {150}


def test_a_view_of_another_width_is_left_out():
    samples = with_holes(10)
    wider = torch.cat([samples.vectors[OTHER], samples.vectors[OTHER]], 2)
    result = cross_validate(replace(samples, vectors={**samples.vectors, OTHER: wider}), ["stacked"], controls=0)
    alone = replace(samples, vectors={PLANTED: samples.vectors[PLANTED]})
    assert torch.equal(result.scores_OPN, cross_validate(alone, ["stacked"], controls=0).scores_OPN)
