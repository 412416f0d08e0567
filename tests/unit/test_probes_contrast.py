"""The contrast direction, against its definition and without a look at the held-out fold."""

from dataclasses import replace

import numpy as np
import torch

from harness.probes.contrast import contrast_on, contrast_scores
from harness.probes.samples import Samples, View
from harness.probes.synthetic import PLANTED, plant
from harness.stats import within_problem_auc


def two_views(seed: int = 0) -> Samples:
    """Planted samples, a second view of them, and holes in the mask."""
    samples = plant(12, 9, 6, signal=2.0, seed=seed).samples
    mask_PN = torch.rand(samples.mask_PN.shape, generator=torch.Generator().manual_seed(seed)) < 0.8
    wide = torch.cat([samples.vectors[PLANTED] ** 2, torch.ones(12, 9, 1)], 2)
    return replace(samples, vectors={PLANTED: samples.vectors[PLANTED], View(1, "mean"): wide}, mask_PN=mask_PN)


def by_definition(samples: Samples, train: list[int], problem: int) -> np.ndarray:
    """Scores of one problem: loops over samples instead of sums of moments."""
    total = np.zeros(samples.mask_PN.shape[1])
    for vectors_PND in samples.vectors.values():
        rows, passed = [], []
        for p in train:
            for n in range(samples.mask_PN.shape[1]):
                if samples.mask_PN[p, n]:
                    rows.append(vectors_PND[p, n].double().numpy())
                    passed.append(bool(samples.rewards_PN[p, n] > 0))
        rows_RD, passed_R = np.array(rows), np.array(passed)
        scale_D = rows_RD.std(0)
        scale_D[scale_D == 0] = 1.0
        standard_RD = (rows_RD - rows_RD.mean(0)) / scale_D
        direction_D = standard_RD[passed_R].mean(0) - standard_RD[~passed_R].mean(0)
        own_ND = (vectors_PND[problem].double().numpy() - rows_RD.mean(0)) / scale_D
        total += own_ND @ (direction_D / np.linalg.norm(direction_D)) / len(samples.vectors)
    return np.where(samples.mask_PN[problem].numpy(), total, 0.0)


def test_it_is_the_difference_of_means_of_the_other_folds():
    for seed in range(5):
        samples, fold_P = two_views(seed), torch.arange(12) % 3
        scores_PN = contrast_scores(samples, fold_P).numpy()
        for problem in range(12):
            train = [p for p in range(12) if fold_P[p] != fold_P[problem]]
            np.testing.assert_allclose(scores_PN[problem], by_definition(samples, train, problem), atol=1e-9)


def test_labels_of_a_fold_change_no_score_in_it():
    samples, fold_P = two_views(), torch.arange(12) % 3
    other = replace(samples, rewards_PN=torch.where((fold_P == 1)[:, None], 1 - samples.rewards_PN, samples.rewards_PN))
    before_PN, after_PN = contrast_scores(samples, fold_P), contrast_scores(other, fold_P)
    assert torch.equal(before_PN[fold_P == 1], after_PN[fold_P == 1])
    assert not torch.equal(before_PN[fold_P != 1], after_PN[fold_P != 1])


def test_it_finds_a_planted_direction_and_transfers():
    train, test = plant(60, 20, 16, signal=3.0).samples, plant(30, 20, 16, signal=3.0).samples
    scores_PN = contrast_scores(train, torch.arange(60) % 5).numpy()
    auc_P = within_problem_auc(scores_PN, train.rewards_PN.double().numpy(), train.mask_PN.numpy())
    assert np.nanmean(auc_P) > 0.85
    on_test_PN = contrast_on(train, test).numpy()
    for problem in (0, 17):
        joined = Samples.together([train, replace(test, problem_ids=tuple(f"t/{p}" for p in range(30)))])
        expected_N = by_definition(joined, list(range(60)), 60 + problem)
        np.testing.assert_allclose(on_test_PN[problem], expected_N, atol=1e-9)


def test_without_passes_or_failures_it_selects_nothing():
    samples = plant(6, 5, 4).samples
    for rewards_PN in (torch.zeros(6, 5), torch.ones(6, 5)):
        assert not contrast_scores(replace(samples, rewards_PN=rewards_PN), torch.arange(6) % 2).any()
