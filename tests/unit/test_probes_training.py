"""The batched trainer: every probe as if trained alone, at the optimum, in any units."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.probes import Hyperparameters, Samples, Schedule, View, objectives, training, validation
from harness.probes.batch import ProbeSpec
from harness.probes.controls import Permutation
from harness.probes.forms import find_form
from harness.probes.scoring import Scorer
from harness.probes.synthetic import PLANTED, plant
from harness.probes.training import train
from harness.probes.validation import GAIN, REWARD, SQUARE, Curve
from harness.stats.rules import SelectionRule

SCHEDULE = Schedule(epochs=6, patience=2, batches=4, samples=5)
SPECS = [
    ("mse", "linear", 0.1, 0, None),
    ("pg", "linear", 0.01, 1, None),
    ("pairwise", "linear", 0.001, 0, None),
    ("mse", "linear", 0.01, 0, Permutation(3)),
    ("ce", "mlp", 0.01, 2, None),
    ("hinge", "mlp-2", 0.01, 0, None),
    ("copg", "gated", 0.01, 0, None),
]


def doubled(samples: Samples) -> Samples:
    """The samples in float64, where the order of additions makes no difference to six digits."""
    return replace(samples, vectors={view: vectors.double() for view, vectors in samples.vectors.items()})


def specs(problems: int) -> list[ProbeSpec]:
    fold_P = torch.arange(problems) % 4
    return [
        ProbeSpec(
            objective,
            Hyperparameters((PLANTED,), form, l2),
            fold_P >= 2 if place % 2 else fold_P != 0,
            fold_P == 0,
            seed=seed,
            permutation=permutation,
        )
        for place, (objective, form, l2, seed, permutation) in enumerate(SPECS)
    ]


def test_trained_together_is_trained_alone():
    samples = doubled(plant(16, 10, 12).samples)
    everyone = specs(16)
    together = train(samples, everyone, SCHEDULE)
    for spec, among_others in zip(everyone, together, strict=True):
        (alone,) = train(samples, [spec], SCHEDULE)
        assert alone.probe.card == among_others.probe.card  # epochs trained included
        for name, weight in alone.probe.weights.items():
            torch.testing.assert_close(weight, among_others.probe.weights[name], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(torch.tensor(alone.curve_EBS), torch.tensor(among_others.curve_EBS))


def test_probes_that_differ_in_validation_alone_are_trained_once(monkeypatch: pytest.MonkeyPatch):
    """Each stops where it would stop alone, though the others continue."""
    samples, schedule = doubled(plant(24, 10, 12, signal=0.0).samples), replace(SCHEDULE, epochs=12)
    fold_P, sizes = torch.arange(24) % 6, []
    twins = [
        replace(spec, train_P=fold_P >= 3, validate_P=fold_P == fold) for spec in specs(24)[:3] for fold in range(3)
    ]
    step = training.Adam.step
    monkeypatch.setattr(
        training.Adam, "step", lambda adam, *rest: (sizes.append(len(adam.weights["offset"])), step(adam, *rest))
    )
    together = train(samples, twins, schedule)
    assert max(sizes) == 3
    assert len({len(trained.curve_EBS) for trained in together}) > 1
    for spec, among_others in zip(twins, together, strict=True):
        (alone,) = train(samples, [spec], schedule)
        assert alone.probe.card == among_others.probe.card
        torch.testing.assert_close(torch.tensor(alone.curve_EBS), torch.tensor(among_others.curve_EBS))
        for name, weight in alone.probe.weights.items():
            torch.testing.assert_close(weight, among_others.probe.weights[name], rtol=1e-9, atol=1e-9)


def test_parts_of_a_batch_make_no_difference(monkeypatch: pytest.MonkeyPatch):
    samples = doubled(plant(16, 10, 12).samples)
    whole = train(samples, specs(16), SCHEDULE)
    for limit in ("WEIGHTS_AT_ONCE", "PAIRS_AT_ONCE"):
        monkeypatch.setattr(training, limit, 1)
    monkeypatch.setattr(validation, "NUMBERS_AT_ONCE", 1)
    for one, other in zip(whole, train(samples, specs(16), SCHEDULE), strict=True):
        torch.testing.assert_close(torch.tensor(one.curve_EBS), torch.tensor(other.curve_EBS))
        for name, weight in one.probe.weights.items():
            torch.testing.assert_close(weight, other.probe.weights[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("objective", objectives.WITHIN_PROBLEMS)
def test_pairs_train_by_their_differences_as_by_their_vectors(objective: str, monkeypatch: pytest.MonkeyPatch):
    """One product instead of two makes no difference to what is selected within a pair."""
    samples = doubled(plant(40, 2, 6).samples)
    spec = replace(specs(40)[2], objective=objective)
    (by_differences,) = train(samples, [spec], SCHEDULE)
    monkeypatch.setattr(training, "WITHIN_PROBLEMS", ())
    (by_vectors,) = train(samples, [spec], SCHEDULE)
    assert by_differences.probe.card == by_vectors.probe.card
    torch.testing.assert_close(torch.tensor(by_differences.curve_EBS), torch.tensor(by_vectors.curve_EBS))
    weights, others = by_differences.probe.weights["project"], by_vectors.probe.weights["project"]
    assert weights.abs().max() > 1e-2
    torch.testing.assert_close(weights, others, rtol=1e-9, atol=1e-9)


def test_pairs_are_multiplied_once(monkeypatch: pytest.MonkeyPatch):
    samples, rows = plant(40, 2, 6).samples, []
    whole = Scorer._of_pairs
    monkeypatch.setattr(Scorer, "_of_pairs", lambda self, *given: (rows.append(len(given[1])), whole(self, *given))[1])
    train(samples, [specs(40)[2]], SCHEDULE)
    assert rows
    seen = len(rows)
    train(samples, [specs(40)[0]], SCHEDULE)
    assert len(rows) == seen, "the level of a score matters to mse"


def test_differences_of_pairs_in_half_precision_are_exact_and_finite():
    vectors_PND = torch.tensor([[[40_000.0, 1.0], [-40_000.0, 2048.0]]])  # the first difference is beyond float16
    mask_PN = torch.ones(1, 2, dtype=torch.bool)
    rewards_PN, indices_PN = torch.tensor([[1.0, 0.0]]), torch.arange(2)[None]
    held = Samples(("pair",), {PLANTED: vectors_PND.half()}, rewards_PN, mask_PN, indices_PN)
    scorer = Scorer(held, (PLANTED,), find_form("linear"), up_to_level=True)
    weights = {"project": torch.tensor([[[[1e-3, 1.0]]]]), "offset": torch.zeros(1, 1, 1)}
    scores_MGS = scorer(weights, torch.tensor([[0]]), torch.tensor([[0, 1]]))
    torch.testing.assert_close(scores_MGS, torch.tensor([[[-983.5, 983.5]]]))  # (80 - 2047) / 2


def test_the_same_program_gives_the_same_bits():
    samples = plant(16, 10, 12).samples
    first, second = (train(samples, specs(16), SCHEDULE) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(one.probe.weights[name], other.probe.weights[name]) for name in one.probe.weights)


def test_mse_ends_at_the_ridge_solution():
    planted = plant(60, 20, 8)
    samples, l2 = doubled(planted.samples), 0.05
    everything_P = torch.ones(60, dtype=torch.bool)
    spec = ProbeSpec("mse", Hyperparameters((PLANTED,), l2=l2, learning_rate=1e-2), everything_P)
    (trained,) = train(samples, [spec], Schedule(epochs=400, batches=1))
    x_RD, r_R = samples.vectors[PLANTED].flatten(0, 1), samples.rewards_PN.flatten().double()
    mean_D, scale_D = x_RD.mean(0), x_RD.std(0, correction=0)
    z_RD = (x_RD - mean_D) / scale_D
    gram_DD = z_RD.T @ z_RD / len(z_RD) + l2 * torch.eye(8, dtype=torch.float64)
    ridge_D = torch.linalg.solve(gram_DD, z_RD.T @ (r_R - r_R.mean()) / len(z_RD))
    expected_R = z_RD @ ridge_D + r_R.mean()
    torch.testing.assert_close(trained.probe(x_RD), expected_R, rtol=0, atol=1e-4)


def test_units_of_the_features_do_not_matter():
    samples = doubled(plant(16, 10, 12).samples)
    other = replace(samples, vectors={PLANTED: samples.vectors[PLANTED] * torch.logspace(-3, 3, 12) - 7})
    (one,), (two,) = (train(data, specs(16)[:1], SCHEDULE) for data in (samples, other))
    scores_PN, same_PN = one.probe(samples.vectors[PLANTED]), two.probe(other.vectors[PLANTED])
    torch.testing.assert_close(scores_PN, same_PN, rtol=1e-6, atol=1e-8)


def test_a_constant_feature_is_harmless():
    samples = plant(16, 10, 12).samples
    samples.vectors[PLANTED][..., 0] = 1234.5
    (trained,) = train(samples, specs(16)[:1], SCHEDULE)
    assert trained.probe(samples.vectors[PLANTED]).isfinite().all()


def test_a_probe_stops_when_validation_has_stalled():
    samples = plant(16, 10, 12).samples
    (still,) = train(
        samples, [replace(specs(16)[0], hyperparameters=Hyperparameters((PLANTED,), learning_rate=0.0))], SCHEDULE
    )
    assert len(still.curve_EBS) == SCHEDULE.patience + 1


@pytest.mark.parametrize("caution", [0.0, 2.0])
def test_a_candidate_stops_when_the_best_lower_bound_of_all_inner_folds_has_stalled(caution: float):
    """The curves are those of a training to the end, up to where a loop over these stops."""
    samples, fold_P, epochs = doubled(plant(30, 10, 8).samples), torch.arange(30) % 3, 30
    rules = (SelectionRule(0.1), SelectionRule(), SelectionRule(k=3))
    rates, names = (1e-3, 3e-3, 3e-2), ("ce", "pairwise", "pg")
    trials = [
        ProbeSpec(objective, Hyperparameters((PLANTED,), learning_rate=rate), fold_P != fold, fold_P == fold)
        for objective in names
        for rate in rates
        for fold in range(3)
    ]
    schedule = Schedule(epochs, patience=6, patience_behind=2, batches=4, close=epochs)
    whole = train(samples, trials, replace(schedule, patience=epochs, patience_behind=epochs), rules)
    shape = len(names), len(rates), 3, epochs, len(rules), 4
    curves_OCFEBS = np.array([trained.curve_EBS for trained in whole]).reshape(shape)
    lengths = [length for own in curves_OCFEBS for length in lengths_of(own, 6, 2, caution)]
    stopped = train(samples, trials, schedule, rules, caution=caution)
    assert [len(trained.curve_EBS) for trained in stopped[::3]] == lengths
    for one, other in zip(stopped, whole, strict=True):
        np.testing.assert_allclose(one.curve_EBS, other.curve_EBS[: len(one.curve_EBS)])
    assert len(set(lengths)) > 3


def test_late_epochs_are_validated_every_other_time(monkeypatch: pytest.MonkeyPatch):
    """Epochs between have the figures of the last validation, and the probe is the same."""
    samples, validated = plant(16, 10, 12).samples, []
    whole = training.validate
    monkeypatch.setattr(training, "validate", lambda *given: (validated.append(1), whole(*given))[1])
    schedule = Schedule(epochs=9, patience=9, batches=4, close=3)
    (sparse,) = train(samples, specs(16)[:1], schedule)
    assert len(validated) == 6
    (close,) = train(samples, specs(16)[:1], replace(schedule, close=9))
    taken = [0, 1, 2, 2, 4, 4, 6, 6, 8]
    np.testing.assert_allclose(sparse.curve_EBS, close.curve_EBS[taken])
    torch.testing.assert_close(sparse.probe.weights, close.probe.weights)


def lengths_of(curves_CFEBS: Curve, patience: int, behind: int, caution: float) -> list[int]:
    """The epochs of each candidate of one selection."""
    means_CEBS = curves_CFEBS.mean(1)
    errors_CEB = np.sqrt((means_CEBS[..., SQUARE] - means_CEBS[..., GAIN] ** 2).clip(0) / 29)
    bounds_CE = (means_CEBS[..., GAIN] - caution * errors_CEB).max(-1)
    lengths = [len(bounds_CE[0])] * len(bounds_CE)
    for epoch in range(len(bounds_CE[0])):
        best = [max(bounds_CE[c][: min(epoch + 1, length)]) for c, length in enumerate(lengths)]
        for c, length in enumerate(lengths):
            own = patience if sum(other > best[c] for other in best) < (len(best) + 1) // 2 else behind
            if length > epoch and epoch - list(bounds_CE[c]).index(best[c]) >= own:
                lengths[c] = epoch + 1
    return lengths


@pytest.mark.parametrize("form", ["mlp", "mlp-2"])
def test_hidden_layers_learn_what_a_line_cannot(form: str):
    generator = torch.Generator().manual_seed(0)
    vectors_PND = torch.randn(60, 20, 6, generator=generator)
    rewards_PN = (vectors_PND[..., 0] * vectors_PND[..., 1] > 0).float()  # exclusive or
    mask_PN = torch.ones(60, 20, dtype=torch.bool)
    ids = tuple(map(str, range(60)))
    samples = Samples(ids, {PLANTED: vectors_PND}, rewards_PN, mask_PN, torch.arange(20).expand(60, 20))
    fold_P = torch.arange(60) % 3
    trials = [
        ProbeSpec("ce", Hyperparameters((PLANTED,), name, l2=1e-4, learning_rate=1e-2), fold_P != 0, fold_P == 0)
        for name in ("linear", form)
    ]
    line, layered = train(samples, trials, Schedule(epochs=60, patience=60))
    assert line.curve_EBS[-1, 0, REWARD] < 0.65
    assert layered.curve_EBS[-1, 0, REWARD] > 0.9


def test_a_gate_finds_the_view_that_knows():
    planted = plant(60, 20, 12)
    noise_PND = torch.randn(60, 20, 12, generator=torch.Generator().manual_seed(1))
    noise = View(2, "mean")
    samples = replace(planted.samples, vectors={noise: noise_PND, PLANTED: planted.samples.vectors[PLANTED]})
    everything_P = torch.ones(60, dtype=torch.bool)
    spec = ProbeSpec("ce", Hyperparameters((noise, PLANTED), "gated", 1e-3, 1e-2), everything_P)
    (trained,) = train(samples, [spec], Schedule())
    scores_PN = trained.probe([noise_PND, samples.vectors[PLANTED]])
    assert torch.corrcoef(torch.stack([scores_PN.flatten(), planted.truth_PN.flatten()]))[0, 1] > 0.9
