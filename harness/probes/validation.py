"""Validation: what each selection rule earns on problems that a probe does not learn from, after each epoch."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

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


NUMBERS_AT_ONCE = 4_000_000
"""Scores for which figures are computed at once, those of many inner folds together: each step then costs little."""


@torch.no_grad()
def validate(
    scorer: Scorer,
    specs: Sequence[ProbeSpec],
    rows: Sequence[int],
    batch: ProbeBatch,
    weights: Weights,
    rewards_KPN: Tensor,
    rules: Sequence[SelectionRule],
) -> Iterator[tuple[int, Curve]]:
    """Yield the figures [B, 4] of every probe with validation problems, with its position in `specs`.

    `rows` has the place of each in the batch. Probes with the same validation problems are scored together.
    """
    by_problems: dict[bytes, list[int]] = {}
    for position, spec in enumerate(specs):
        if spec.validate_P is not None:
            by_problems.setdefault(spec.validate_P.numpy().tobytes(), []).append(position)
    problems = [torch.from_numpy(np.frombuffer(key, dtype=bool).nonzero()[0]) for key in by_problems]
    parts = list(zip(problems, by_problems.values(), strict=True))
    for some in _at_once(parts, scorer.samples.mask_PN.shape[1]):
        scored = [
            _score(scorer, batch, weights, rewards_KPN, problems_Q, [rows[position] for position in positions])
            for problems_Q, positions in some
        ]
        most = max(len(problems_Q) for problems_Q, _ in some)
        scores_MQN, rewards_MQN, mask_MQN = (
            torch.cat([pad(part, (0, 0, 0, most - part.shape[1])) for part in kind])
            for kind in zip(*scored, strict=True)
        )
        positions = [position for _, own in some for position in own]
        yield from zip(positions, selection_figures(scores_MQN, rewards_MQN, mask_MQN, rules), strict=True)


def _at_once(parts: Sequence[tuple[Tensor, list[int]]], width: int) -> Iterator[list[tuple[Tensor, list[int]]]]:
    """The parts, each some problems and the probes that are validated on them, in runs of not too many scores."""
    run: list[tuple[Tensor, list[int]]] = []
    numbers = 0
    for problems_Q, positions in parts:
        own = len(problems_Q) * len(positions) * width
        if run and numbers + own > NUMBERS_AT_ONCE:
            yield run
            run, numbers = [], 0
        run.append((problems_Q, positions))
        numbers += own
    if run:
        yield run


def _score(
    scorer: Scorer, batch: ProbeBatch, weights: Weights, rewards_KPN: Tensor, problems_Q: Tensor, rows: list[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The scores of the probes in these rows of the batch on some problems, their rewards, the mask: [M, Q, N] each."""
    problems_Q = problems_Q.to(rewards_KPN.device)
    rows_M = torch.tensor(rows, device=rewards_KPN.device)
    part = batch.take(rows_M)
    scores_MQN = scorer.whole(part.folded({name: weight[rows_M] for name, weight in weights.items()}), problems_Q)
    rewards_MQN = rewards_KPN[part.permutation_M][:, problems_Q]
    return scores_MQN, rewards_MQN, scorer.samples.mask_PN[problems_Q].expand_as(scores_MQN)


def selection_figures(
    scores_MPN: Tensor, rewards_MPN: Tensor, mask_MPN: Tensor, rules: Sequence[SelectionRule]
) -> Curve:
    """The figures [M, B, 4] of each rule, for the scores of M probes, NaN where training diverged.

    The mask may be one for all probes. Equal scores are ranked by position.
    """
    counts_MP1 = mask_MPN.sum(-1, keepdim=True)
    base_MP = (rewards_MPN * mask_MPN).sum(-1) / counts_MP1[..., 0].clamp(min=1)
    graded_MP = mask_MPN.any(-1)
    ranked = _rank(scores_MPN, rewards_MPN, mask_MPN) if any(not rule.temperature for rule in rules) else None
    figures = []
    for rule in rules:
        if rule.temperature or ranked is None:
            chances_MPN, drawn_MPN = policy(scores_MPN, mask_MPN, rule.temperature), rewards_MPN
            kl_MP = torch.xlogy(chances_MPN, chances_MPN * counts_MP1).sum(-1)
        else:
            chances_MPN, kl_MP = _rank_chances(counts_MP1[..., 0], mask_MPN.shape[-1], rule.k, scores_MPN)
            drawn_MPN = ranked
        values_MP = (chances_MPN * drawn_MPN).sum(-1)
        gains_MP = values_MP - base_MP
        parts = torch.stack([values_MP, gains_MP, gains_MP.square(), kl_MP.expand_as(values_MP)], 1)
        figures.append(mean_over_problems(parts, graded_MP.unsqueeze(-2)))
    diverged_M = ~scores_MPN.masked_fill(~mask_MPN, 0.0).isfinite().flatten(1).all(1)
    return torch.stack(figures, 1).masked_fill(diverged_M[:, None, None], torch.nan).double().cpu().numpy()


def _rank(scores_MPN: Tensor, rewards_MPN: Tensor, mask_MPN: Tensor) -> Tensor:
    """The rewards in descending order of score, those without a verdict last."""
    order_MPN = scores_MPN.masked_fill(~mask_MPN, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    return (rewards_MPN * mask_MPN).expand_as(scores_MPN).gather(-1, order_MPN)


def _rank_chances(counts_MP: Tensor, width: int, k: int | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """The probability that the sample at each rank is the best of k, or of all where a problem has fewer, and its KL.

    By the number of a problem's graded samples: [M, P, N] and [M, P], or one row for all where all have equally many.
    """
    table_CN, kl_C = (part.to(like) for part in _rank_table(width, k))
    most = counts_MP.max()
    if bool(((counts_MP == most) | (counts_MP == 0)).all()):  # without samples rewards are zero, and any chances do
        return table_CN[most], torch.where(counts_MP > 0, kl_C[most], 0.0)
    return table_CN[counts_MP], kl_C[counts_MP]


@lru_cache(maxsize=64)
def _rank_table(width: int, k: int | None) -> tuple[Tensor, Tensor]:
    """For 0 to `width` graded samples, the chances of each rank [C, N] and their KL from a random choice [C]."""
    table_CN = torch.zeros(width + 1, width, dtype=torch.float64)
    for n in range(1, width + 1):
        table_CN[n, :n] = torch.from_numpy(rank_chances(n, [n if k is None else min(k, n)])[:, 0])
    counts_C1 = torch.arange(width + 1)[:, None]
    return table_CN, torch.xlogy(table_CN, table_CN * counts_C1).sum(-1)


def has_stalled(curve_EBS: Curve, patience: int) -> bool:
    """Return True if no rule's best reward lies within the last `patience` epochs."""
    return bool(len(curve_EBS) - 1 - curve_EBS[..., REWARD].argmax(axis=0).max() >= patience)
