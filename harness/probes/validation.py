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
from harness.probes.caches import cached_parts
from harness.probes.forms import Weights
from harness.probes.objectives import mean_over_problems
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

NO_CHANCE = -80.0
"""The least logit below the best: its chance is nothing, but a number with which processors multiply at full speed."""


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

    Rewards and mask may be one for all probes. Equal scores are ranked by position.
    """
    rewards_MPN, mask_MPN = (given_MPN.expand_as(scores_MPN) for given_MPN in (rewards_MPN, mask_MPN))
    parts = cached_parts(scores_MPN)
    figures = [_figures(scores_MPN[part], rewards_MPN[part], mask_MPN[part], rules) for part in parts]
    return torch.cat(figures).double().cpu().numpy()


def _figures(scores_MPN: Tensor, rewards_MPN: Tensor, mask_MPN: Tensor, rules: Sequence[SelectionRule]) -> Tensor:
    """The figures [M, B, 4] of not too many probes."""
    counts_MP = mask_MPN.sum(-1)
    base_MP1 = ((rewards_MPN * mask_MPN).sum(-1) / counts_MP.clamp(min=1))[..., None]
    by_softmax = [rule.temperature for rule in rules if rule.temperature]
    by_rank = [rule.k for rule in rules if not rule.temperature]
    parts = [_by_softmax(scores_MPN, rewards_MPN, mask_MPN, by_softmax)] if by_softmax else []
    parts += [_by_rank(_rank(scores_MPN, rewards_MPN, mask_MPN), counts_MP, by_rank)] if by_rank else []
    values_MPB, kl_MPB = (torch.cat(kind, -1) for kind in zip(*parts, strict=True))
    gains_MPB = values_MPB - base_MP1
    figures_SMBP = torch.stack([values_MPB, gains_MPB, gains_MPB.square(), kl_MPB]).transpose(-2, -1)
    figures_MBS = mean_over_problems(figures_SMBP, (counts_MP > 0)[:, None]).movedim(0, -1)
    diverged_M = ~scores_MPN.masked_fill(~mask_MPN, 0.0).isfinite().flatten(1).all(1)
    places = sorted(range(len(rules)), key=lambda b: not rules[b].temperature)  # in the order of the parts
    return figures_MBS.masked_fill(diverged_M[:, None, None], torch.nan)[:, np.argsort(places)]


def _by_softmax(
    scores_MPN: Tensor, rewards_MPN: Tensor, mask_MPN: Tensor, temperatures: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """The expected rewards of softmax selection at each temperature, and KL(pi || p0) = log n - H(pi): [M, P, B].

    The logarithm of a chance is its logit less that of their sum: no logarithm of every chance is taken.
    """
    top_MP1 = scores_MPN.masked_fill(~mask_MPN, -torch.inf).amax(-1, keepdim=True)
    below_MPN = (scores_MPN - top_MP1).masked_fill(~mask_MPN, -torch.inf)
    log_counts_MP = mask_MPN.sum(-1).clamp(min=1).to(scores_MPN).log()
    values, kls = [], []
    for temperature in temperatures:
        logits_MPN = (below_MPN / temperature).clamp_(min=NO_CHANCE)
        odds_MPN = logits_MPN.exp()
        sum_MP1 = odds_MPN.sum(-1, keepdim=True)
        chances_MPN = odds_MPN.div_(sum_MP1)
        values.append((chances_MPN * rewards_MPN).sum(-1))
        kls.append(logits_MPN.mul_(chances_MPN).sum(-1) - sum_MP1[..., 0].log() + log_counts_MP)
    return torch.stack(values, -1), torch.stack(kls, -1)


def _by_rank(ranked_MPN: Tensor, counts_MP: Tensor, ks: Sequence[int | None]) -> tuple[Tensor, Tensor]:
    """The expected rewards of the best of k samples, or of all where a problem has fewer, and its KL: [M, P, B]."""
    width = ranked_MPN.shape[-1]
    tables, kls = zip(*(_rank_table(width, k) for k in ks), strict=True)
    table_CNB, kl_CB = torch.stack(tables, -1).to(ranked_MPN), torch.stack(kls, -1).to(ranked_MPN)
    most = counts_MP.max()
    alike = bool(((counts_MP == most) | (counts_MP == 0)).all())  # without samples rewards are zero, and any chances do
    chances = (table_CNB[most if alike else counts_MP, :, b] for b in range(len(ks)))
    return torch.stack([(own * ranked_MPN).sum(-1) for own in chances], -1), kl_CB[counts_MP]


def _rank(scores_MPN: Tensor, rewards_MPN: Tensor, mask_MPN: Tensor) -> Tensor:
    """The rewards in descending order of score, those without a verdict last."""
    order_MPN = scores_MPN.masked_fill(~mask_MPN, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    return (rewards_MPN * mask_MPN).expand_as(scores_MPN).gather(-1, order_MPN)


@lru_cache(maxsize=64)
def _rank_table(width: int, k: int | None) -> tuple[Tensor, Tensor]:
    """For 0 to `width` graded samples, the chances of each rank [C, N] and their KL from a random choice [C]."""
    table_CN = torch.zeros(width + 1, width, dtype=torch.float64)
    for n in range(1, width + 1):
        table_CN[n, :n] = torch.from_numpy(rank_chances(n, [n if k is None else min(k, n)])[:, 0])
    counts_C1 = torch.arange(width + 1)[:, None]
    return table_CN, torch.xlogy(table_CN, table_CN * counts_C1).sum(-1)


def lower_bounds(
    figures: Curve, problems: int | NDArray[np.int64], caution: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower bound of each gain, `caution` standard errors below it, and the error; figures are [..., 4].

    The bound is -infinity where training diverged.
    """
    gains = figures[..., GAIN]
    errors = np.sqrt(np.clip(figures[..., SQUARE] - gains**2, 0.0, None) / np.maximum(problems - 1, 1))
    return np.nan_to_num(gains - caution * errors, nan=-np.inf), errors
