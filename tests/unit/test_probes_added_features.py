"""Features beside the vectors: their definition, what they may not see, and what a probe makes of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probes import Grid, ProbeError, Samples, Schedule, TrainingPlan, View, cross_validate
from harness.probes.added_features import FEATURES, OF_TOKENS, with_features
from harness.probes.synthetic import PLANTED, plant
from harness.stats import within_problem_auc


def with_holes(seed: int) -> tuple[Samples, dict[str, np.ndarray]]:
    """Samples of two views, some places without one; lengths and log-probabilities."""
    samples, rng = plant(5, 6, 3, seed=seed).samples, np.random.default_rng(seed)
    there_PN = torch.from_numpy(np.arange(6) < rng.integers(1, 7, (5, 1)))
    indices_PN = samples.indices_PN.masked_fill(~there_PN, -1)
    vectors = samples.vectors[PLANTED].masked_fill(~there_PN[..., None], 0.0)
    mask_PN = there_PN & torch.from_numpy(rng.random((5, 6)) < 0.8)
    both = {PLANTED: vectors, View(2, "mean"): torch.cat([vectors, vectors**2], 2)}
    values = {name: -rng.random((5, 6)) for name in OF_TOKENS}
    values["length"] = rng.integers(0, 90, (5, 6)).astype(float)
    return replace(samples, vectors=both, indices_PN=indices_PN, mask_PN=mask_PN), values


def by_definition(rows: list[np.ndarray], values: list[float] | None) -> list[float]:
    """One feature of one problem, standardised; the mean cosine where there are no values."""
    if values is None:
        values = []
        for i, row in enumerate(rows):
            others = [other for j, other in enumerate(rows) if i != j]
            cosines = [row @ other / np.linalg.norm(row) / np.linalg.norm(other) for other in others]
            values.append(float(np.mean(cosines)) if cosines else 0.0)
    mean = sum(values) / len(values)
    scale = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return [(value - mean) / scale if scale > 1e-9 else 0.0 for value in values]


@given(st.integers(0, 5000), st.permutations(FEATURES), st.integers(1, len(FEATURES)))
@settings(max_examples=60, deadline=None)
def test_columns_are_standardised_within_their_problem(seed: int, order: list[str], count: int):
    samples, values = with_holes(seed)
    names = order[:count]
    widened = with_features(samples, names, values)
    for view, vectors_PND in samples.vectors.items():
        width = vectors_PND.shape[2]
        assert torch.equal(widened.vectors[view][..., :width], vectors_PND)
        for p in range(5):
            places = [n for n in range(6) if samples.indices_PN[p, n] >= 0]
            rows = [vectors_PND[p, n].double().numpy() for n in places]
            for column, name in enumerate(names, start=width):
                own = values.get(name)
                listed = None if own is None else [float(own[p, n]) for n in places]
                if name == "length":
                    listed = [float(np.log(max(length, 1.0))) for length in listed]
                expected = np.zeros(6)
                expected[places] = by_definition(rows, listed)
                np.testing.assert_allclose(widened.vectors[view][p, :, column].numpy(), expected, atol=2e-4)


def test_they_see_no_label_and_no_other_problem():
    samples, values = with_holes(3)
    before = with_features(samples, FEATURES, values).vectors[PLANTED]
    labels = replace(samples, rewards_PN=1 - samples.rewards_PN, mask_PN=~samples.mask_PN)
    assert torch.equal(with_features(labels, FEATURES, values).vectors[PLANTED], before)
    alone = with_features(samples.take([2]), FEATURES, {name: each[2:3] for name, each in values.items()})
    assert torch.equal(alone.vectors[PLANTED][0], before[2])


def test_a_probe_uses_a_feature_that_the_vectors_lack():
    """Rewards that depend on length alone: invisible in the vectors, plain in the column."""
    samples, rng = plant(40, 12, 8).samples, np.random.default_rng(1)
    lengths_PN = np.exp(rng.standard_normal((40, 12))) * 50
    rewards_PN = torch.from_numpy((lengths_PN > np.median(lengths_PN, axis=1, keepdims=True)).astype(np.float32))
    samples = replace(samples, rewards_PN=rewards_PN)
    plan = TrainingPlan(grid=Grid(l2s=(0.01,), learning_rates=(3e-3,)), schedule=Schedule(epochs=20))
    aucs = []
    for own in (samples, with_features(samples, ["length"], {"length": lengths_PN})):
        scores_PN = cross_validate(own, ["mse"], folds=3, plan=plan, controls=0).scores_of("mse").numpy()
        aucs.append(np.nanmean(within_problem_auc(scores_PN, rewards_PN.double().numpy(), own.mask_PN.numpy())))
    assert aucs[0] < 0.65 < 0.95 < aucs[1]


def test_unknown_and_missing_features_are_refused():
    samples, values = with_holes(0)
    with pytest.raises(ProbeError, match="no feature 'size': choose from centrality, length, logprob"):
        with_features(samples, ["size"], values)
    with pytest.raises(ProbeError, match="logprob is not known: leave logprob out of --features"):
        with_features(samples, ["logprob"], {"length": values["length"]})
