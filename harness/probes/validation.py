"""Validation: what each selection rule earns on problems that a probe does not learn from, after each epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Part:
    """Probes with the same validation problems, which are scored together."""

    problems_Q: Tensor
    positions: list[int]  # of the probes, among all
    rows: list[int]  # of the batch, one per probe


def validation_parts(specs: Sequence[ProbeSpec], rows: Sequence[int]) -> list[Part]:
    """Divide the probes that have validation problems by these; `rows` has the place of each in the batch."""
    by_problems: dict[bytes, list[int]] = {}
    for position, spec in enumerate(specs):
        if spec.validate_P is not None:
            by_problems.setdefault(spec.validate_P.numpy().tobytes(), []).append(position)
    return [
        Part(
            torch.from_numpy(np.frombuffer(key, dtype=bool).nonzero()[0]),
            positions,
            [rows[position] for position in positions],
        )
        for key, positions in by_problems.items()
    ]


@torch.no_grad()
def validate(
    scorer: Scorer,
    parts: Sequence[Part],
    batch: ProbeBatch,
    weights: Weights,
    rewards_KPN: Tensor,
    rules: Sequence[SelectionRule],
) -> dict[int, Curve]:
    """Return the figures [B, 4] of every probe of the parts, by its position."""
    figures: dict[int, Curve] = {}
    for some in _at_once(parts, scorer.samples.mask_PN.shape[1]):
        scored = [_score(scorer, batch, weights, rewards_KPN, part) for part in some]
        most = max(len(part.problems_Q) for part in some)
        scores_MQN, rewards_MQN, mask_MQN = (
            torch.cat([pad(piece, (0, 0, 0, most - piece.shape[1])) for piece in kind])
            for kind in zip(*scored, strict=True)
        )
        positions = [position for part in some for position in part.positions]
        figures |= zip(positions, selection_figures(scores_MQN, rewards_MQN, mask_MQN, rules), strict=True)
    return figures


def _at_once(parts: Sequence[Part], width: int) -> Iterator[list[Part]]:
    """The parts in runs of not too many scores."""
    run: list[Part] = []
    numbers = 0
    for part in parts:
        own = len(part.problems_Q) * len(part.positions) * width
        if run and numbers + own > NUMBERS_AT_ONCE:
            yield run
            run, numbers = [], 0
        run.append(part)
        numbers += own
    if run:
        yield run


def _score(
    scorer: Scorer, batch: ProbeBatch, weights: Weights, rewards_KPN: Tensor, own: Part
) -> tuple[Tensor, Tensor, Tensor]:
    """The scores of a part's probes on its problems, their rewards, the mask: [M, Q, N] each."""
    problems_Q = own.problems_Q.to(rewards_KPN.device)
    rows_M = torch.tensor(own.rows, device=rewards_KPN.device)
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


def lower_bounds(figures: Curve, problems: int, caution: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower bound of each gain, `caution` standard errors below it, and the error; figures are [..., 4].

    The bound is -infinity where training diverged.
    """
    gains = figures[..., GAIN]
    errors = np.sqrt(np.clip(figures[..., SQUARE] - gains**2, 0.0, None) / max(problems - 1, 1))
    return np.nan_to_num(gains - caution * errors, nan=-np.inf), errors


class LastBest:
    """The epoch in which each probe's validation figure was last the best so far, for many probes together."""

    def __init__(self, probes: int) -> None:
        self._figure_S = np.full(probes, -np.inf)
        self._epoch_S = np.zeros(probes, dtype=np.int64)

    def update(self, figure_S: NDArray[np.float64], epoch: int) -> None:
        """Take the figures after one more epoch."""
        better_S = figure_S > self._figure_S
        self._figure_S[better_S], self._epoch_S[better_S] = figure_S[better_S], epoch

    def stalled(self, epoch: int, patience: int) -> NDArray[np.bool_]:
        """Return for each probe [S] whether its best figure does not lie within the last `patience` epochs."""
        stalled_S: NDArray[np.bool_] = epoch - self._epoch_S >= patience
        return stalled_S

    def keep(self, positions: Sequence[int]) -> None:
        """Remove all probes but those at these positions."""
        self._figure_S, self._epoch_S = self._figure_S[positions], self._epoch_S[positions]
