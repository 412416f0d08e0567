"""Validation: what each selection rule earns on problems that a probe does not learn from, after each epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.probes.batch import ProbeBatch, ProbeSpec
from harness.probes.forms import Weights
from harness.probes.objectives import mean_over_problems, policy
from harness.probes.scoring import Scorer
from harness.stats.estimators import rank_chances
from harness.stats.rules import SelectionRule

Curve = NDArray[np.float64]
"""The figures of each of B selection rules after each epoch: [E, B, 4]; the four are those below."""

REWARD, GAIN, SQUARE, KL = range(4)
"""Means over problems: of the expected reward, of its gain over that of a random sample, of the gain's square, and of
the distance of the choice from a random one, KL(pi || p0) in nats."""


@torch.no_grad()
def validate(
    scorer: Scorer,
    specs: Sequence[ProbeSpec],
    batch: ProbeBatch,
    weights: Weights,
    rewards_KPN: Tensor,
    rules: Sequence[SelectionRule],
) -> Iterator[tuple[int, Curve]]:
    """Yield the figures [B, 4] of every probe with validation problems, with its position in `specs`.

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
        yield from zip(positions, selection_figures(scores_MQN, rewards_MQN, mask_QN, rules), strict=True)


def selection_figures(
    scores_MPN: Tensor, rewards_MPN: Tensor, mask_PN: Tensor, rules: Sequence[SelectionRule]
) -> Curve:
    """The figures [M, B, 4] of each rule, for the scores of M probes, NaN where training diverged.

    Equal scores are ranked by position.
    """
    counts_P1 = mask_PN.sum(-1, keepdim=True)
    base_MP = (rewards_MPN * mask_PN).sum(-1) / counts_P1[:, 0].clamp(min=1)
    ranked = _rank(scores_MPN, rewards_MPN, mask_PN) if any(not rule.temperature for rule in rules) else None
    figures = []
    for rule in rules:
        if rule.temperature or ranked is None:
            chances_MPN, drawn_MPN = policy(scores_MPN, mask_PN, rule.temperature), rewards_MPN
        else:
            chances_MPN, drawn_MPN = _rank_chances(mask_PN, rule.k).to(scores_MPN)[None], ranked
        values_MP = (chances_MPN * drawn_MPN).sum(-1)
        gains_MP = values_MP - base_MP
        kl_MP = torch.xlogy(chances_MPN, chances_MPN * counts_P1).sum(-1).expand_as(values_MP)
        parts = (values_MP, gains_MP, gains_MP.square(), kl_MP)
        figures.append(torch.stack([mean_over_problems(part_MP, mask_PN.any(-1)) for part_MP in parts], -1))
    diverged_M = ~scores_MPN.masked_fill(~mask_PN, 0.0).isfinite().flatten(1).all(1)
    return torch.stack(figures, 1).masked_fill(diverged_M[:, None, None], torch.nan).double().cpu().numpy()


def _rank(scores_MPN: Tensor, rewards_MPN: Tensor, mask_PN: Tensor) -> Tensor:
    """The rewards in descending order of score, those without a verdict last."""
    order_MPN = scores_MPN.masked_fill(~mask_PN, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    return rewards_MPN.expand_as(scores_MPN).gather(-1, order_MPN)


def _rank_chances(mask_PN: Tensor, k: int | None) -> Tensor:
    """The probability [P, N] that the sample at each rank is the best of k, or of all where a problem has fewer."""
    chances_PN = torch.zeros(mask_PN.shape, dtype=torch.float64, device=mask_PN.device)
    counts_P = mask_PN.sum(1)
    for n in sorted(set(counts_P[counts_P > 0].tolist())):
        own_n = torch.from_numpy(rank_chances(n, [n if k is None else min(k, n)])[:, 0])
        row_N = torch.zeros(mask_PN.shape[1], dtype=torch.float64)
        row_N[:n] = own_n
        chances_PN[counts_P == n] = row_N.to(mask_PN.device)
    return chances_PN


def has_stalled(curve_EBS: Curve, patience: int) -> bool:
    """Return True if no rule's best reward lies within the last `patience` epochs."""
    return bool(len(curve_EBS) - 1 - curve_EBS[..., REWARD].argmax(axis=0).max() >= patience)
