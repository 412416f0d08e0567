"""Validation: the expected reward of selection on problems that a probe does not learn from, after each epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.probes.batch import ProbeBatch, ProbeSpec
from harness.probes.forms import Weights
from harness.probes.objectives import mean_over_problems, policy
from harness.probes.scoring import Scorer

Curve = NDArray[np.float64]
"""The figure after each epoch at each temperature: [E, B]."""


@torch.no_grad()
def validate(
    scorer: Scorer,
    specs: Sequence[ProbeSpec],
    batch: ProbeBatch,
    weights: Weights,
    rewards_KPN: Tensor,
    temperatures: Sequence[float],
) -> Iterator[tuple[int, Curve]]:
    """Yield the figures [B] of every probe with validation problems, with its position in `specs`.

    Probes with the same validation problems are scored together.
    """
    by_problems: dict[bytes, list[int]] = {}
    for position, spec in enumerate(specs):
        if spec.validate_P is not None:
            by_problems.setdefault(spec.validate_P.numpy().tobytes(), []).append(position)
    for validate_bytes, positions in by_problems.items():
        problems_Q = torch.from_numpy(np.frombuffer(validate_bytes, dtype=bool).nonzero()[0]).to(rewards_KPN.device)
        rows = torch.tensor(positions, device=rewards_KPN.device)
        part = batch.take(rows)
        scores_MQN = scorer.whole(part.folded({name: weight[rows] for name, weight in weights.items()}), problems_Q)
        rewards_MQN = rewards_KPN[part.permutation_M][:, problems_Q]
        mask_QN = scorer.samples.mask_PN[problems_Q]
        yield from zip(positions, selection_figures(scores_MQN, rewards_MQN, mask_QN, temperatures), strict=True)


def selection_figures(scores_PN: Tensor, rewards_PN: Tensor, mask_PN: Tensor, temperatures: Sequence[float]) -> Curve:
    """The expected reward of softmax selection among all samples at each temperature: scores [M, P, N] -> [M, B]."""
    figures = [
        mean_over_problems((policy(scores_PN, mask_PN, beta) * rewards_PN).sum(-1), mask_PN.any(-1))
        for beta in temperatures
    ]
    return np.stack([figure.double().cpu().numpy() for figure in figures], axis=1)


def has_stalled(curve_EB: Curve, patience: int) -> bool:
    """Return True if no temperature's best figure lies within the last `patience` epochs."""
    return bool(len(curve_EB) - 1 - curve_EB.argmax(axis=0).max() >= patience)
