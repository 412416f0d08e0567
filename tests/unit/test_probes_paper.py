"""The preset `paper` is the paper's training: its numbers, and the weights that PyTorch itself arrives at."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from harness.probes import PRESETS, Samples, train_probes
from harness.probes.forms import TorchLinear
from harness.probes.minibatches import Minibatch, draw_minibatches
from harness.probes.synthetic import PLANTED, plant
from harness.stats import SelectionRule

PAPER = PRESETS["paper"]


def test_its_numbers_are_the_papers():
    """Section 4 of arXiv 2402.14688; batches of 1000 samples, for L_PG 100 problems x 10 samples."""
    grid, by_problem, by_sample = PAPER.grid, PAPER.schedule, PAPER.sample_wise
    assert (grid.learning_rates, grid.l2s, grid.betas, PAPER.rules) == ((5e-5,), (0.0,), (0.1,), (SelectionRule(0.1),))
    assert (by_problem.epochs, by_problem.groups, by_problem.samples) == (150, 100, 10)
    assert by_sample is not None
    assert (by_sample.epochs, by_sample.groups, by_sample.samples) == (150, 1000, 1)
    assert not any(schedule.decay or schedule.standardise for schedule in (by_problem, by_sample))
    assert (PAPER.inner_folds, PAPER.apart) == (0, True)


def own_loss(objective: str, scores_GS: Tensor, rewards_GS: Tensor, baseline: float) -> Tensor:
    """The paper's losses by PyTorch's functions."""
    if objective == "mse":
        return mse_loss(scores_GS, rewards_GS)
    if objective == "ce":
        return binary_cross_entropy_with_logits(scores_GS, rewards_GS)
    return -((scores_GS / 0.1).softmax(1) * (rewards_GS - baseline)).sum(1).mean()


def trained_by_pytorch(samples: Samples, objective: str, epochs: int) -> tuple[Tensor, Tensor]:
    """The weights [D] before and after `torch.optim.Adam` at 5e-5 on `torch.nn.Linear`."""
    schedule = PAPER.sample_wise if objective in ("mse", "ce") else PAPER.schedule
    assert schedule is not None
    begin = TorchLinear().start(1, 8, torch.Generator().manual_seed(0))
    probe = torch.nn.Linear(8, 1).double()
    with torch.no_grad():
        probe.weight.copy_(begin["project"][0])
        probe.bias.copy_(begin["offset"][0])
    start_D = probe.weight.detach()[0].clone()
    adam = torch.optim.Adam(probe.parameters(), lr=5e-5)
    for epoch in range(epochs):
        for minibatch in draw_minibatches(samples.mask_PN, schedule, epoch):
            adam.zero_grad()
            own_loss(objective, *of_minibatch(samples, probe, minibatch), float(samples.rewards_PN.mean())).backward()
            adam.step()
    return start_D, probe.weight.detach()[0]


def of_minibatch(samples: Samples, probe: torch.nn.Linear, minibatch: Minibatch) -> tuple[Tensor, Tensor]:
    """Scores and rewards [G, S] of a minibatch without padding."""
    assert minibatch.mask_GS.all()
    here = minibatch.problems_G[:, None], minibatch.places_GS
    return probe(samples.vectors[PLANTED][here])[..., 0], samples.rewards_PN[here].double()


@pytest.mark.parametrize("objective", ["mse", "ce", "pg"])
def test_it_is_adam_on_a_linear_layer(objective: str):
    samples = plant(12, 20, 8).samples
    samples = replace(samples, vectors={PLANTED: samples.vectors[PLANTED].double()})
    start_D, expected_D = trained_by_pytorch(samples, objective, PAPER.schedule.epochs)
    found_D = train_probes(samples, [objective], plan=PAPER)[objective].weights["project"][0, 0]
    moved_D = expected_D - start_D
    assert moved_D.abs().min() > 1e-4
    torch.testing.assert_close(found_D - start_D, moved_D, rtol=1e-4, atol=0)
