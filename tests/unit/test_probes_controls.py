"""Random directions: scores of vectors alone, which know nothing."""

import numpy as np
import torch

from harness.probes.controls import random_directions
from harness.probes.synthetic import plant
from harness.stats import within_problem_auc


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
