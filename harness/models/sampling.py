"""Sampling of tokens: inverse transform, with random numbers that belong to the sample and not to the batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from harness.models.engine import Sampling as Sampling
from harness.models.logit_rules import likeliest_only, penalised, without_unlikely

HEADS = (64, 1024)
"""Numbers of likeliest tokens that hold nearly every nucleus: more tokens are sorted only where they do not."""

CACHED = 2**17
"""The number of logits that a CPU reads at once: they stay in its cache while they are read several times."""


def uniforms(seed: int, count: int) -> Tensor:
    """Return the random numbers of one sample, [count], float64: its t-th token is drawn with the t-th."""
    return torch.from_numpy(np.random.Generator(np.random.Philox(seed)).random(count))


class SeededDraws(LogitsProcessor):
    """Draws each row's next token with the row's own random numbers, and leaves `generate` no other choice."""

    def __init__(self, sampling: Sampling, seeds: Sequence[int], greedy: Sequence[bool]) -> None:
        """Rows that are `greedy` take the likeliest token each time."""
        self._sampling = sampling
        self._greedy = torch.tensor(greedy)
        self._uniforms_NT = torch.stack([uniforms(seed, sampling.max_new_tokens) for seed in seeds])
        self._steps: list[Drawn] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Turn the logits [rows, vocabulary] into ones that allow the drawn token alone.

        Raises FloatingPointError for logits that hold NaN or infinity.
        """
        numbers = self._uniforms_NT[:, len(self._steps)].to(scores.device)
        drawn = draw(scores, numbers, self._sampling, self._greedy.to(scores.device), input_ids)
        if not bool(drawn.logprobs_N.isfinite().all()):
            raise FloatingPointError
        self._steps.append(Drawn(*(each.cpu() for each in drawn)))
        return torch.full_like(scores, -torch.inf).scatter(1, drawn.tokens_N[:, None], 0.0)

    def confidence(self, row: int, tokens: int) -> "Confidence":
        """Return that of a row's first `tokens` drawn tokens."""
        confidence = Confidence()
        for step in self._steps[:tokens]:
            confidence.add(float(step.logprobs_N[row]), float(step.certainties_N[row]))
        return confidence


@dataclass(slots=True)
class Confidence:
    """The confidence of a model in the tokens of one completion."""

    tokens: int = 0
    logprob: float = 0.0  # sum over the tokens of log p(token) at temperature 1, in nats
    least_logprob: float = 0.0
    certainty: float = 0.0  # sum over the tokens of KL(uniform || p), in nats

    def add(self, logprob: float, certainty: float) -> None:
        """Add a token."""
        self.tokens += 1
        self.logprob += logprob
        self.least_logprob = min(self.least_logprob, logprob)
        self.certainty += certainty

    @property
    def self_certainty(self) -> float | None:
        """The mean over the tokens; None where the model excludes tokens of its vocabulary, so that it is infinite."""
        return self.certainty / self.tokens if math.isfinite(self.certainty) else None


class Drawn(NamedTuple):
    """One token per row, drawn from logits."""

    tokens_N: Tensor
    logprobs_N: Tensor  # of the tokens at temperature 1, in nats
    certainties_N: Tensor  # KL(uniform || p) in nats (Kang et al. 2025, arXiv 2502.18581)


def draw(
    logits_NV: Tensor,
    uniforms_N: Tensor,
    sampling: Sampling,
    greedy_N: Tensor | None = None,
    earlier_NT: Tensor | None = None,
) -> Drawn:
    """Return one token per row.

    The token of row i is the inverse of the tempered, top-p distribution function over token ids at uniforms[i].
    `earlier_NT` holds each row's tokens so far, for the repetition penalty (`earlier_tokens`). Log-probabilities and
    certainties are the model's own, before any rule.
    """
    rows = max(1, CACHED // logits_NV.shape[1]) if logits_NV.device.type == "cpu" else len(logits_NV)
    given = (logits_NV, uniforms_N, greedy_N, earlier_NT)
    parts = [[None] * -(-len(logits_NV) // rows) if each is None else torch.split(each, rows) for each in given]
    drawn = [_draw(sampling, *part) for part in zip(*parts, strict=True)]
    return Drawn(*(torch.cat(each) for each in zip(*drawn, strict=True)))


def _draw(
    sampling: Sampling, logits_NV: Tensor, uniforms_N: Tensor, greedy_N: Tensor | None, earlier_NT: Tensor | None
) -> Drawn:
    logits = logits_NV.float()
    ruled = penalised(logits, earlier_NT, sampling.repetition_penalty)
    chosen = ruled.argmax(-1) if sampling.temperature == 0 else _nucleus(ruled, uniforms_N, sampling)
    if greedy_N is not None and sampling.temperature != 0:
        chosen = torch.where(greedy_N, ruled.argmax(-1), chosen)
    return Drawn(chosen, *token_confidences(logits, chosen))


def token_confidences(logits_NV: Tensor, tokens_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p(token) and KL(uniform || p) of each row [N], in nats at temperature 1, in float32."""
    logits = logits_NV.float()
    sums = logits.logsumexp(-1)
    certainties = sums - logits.mean(-1) - math.log(logits.shape[1])
    return logits.gather(1, tokens_N[:, None]).squeeze(1) - sums, certainties


def _nucleus(logits_NV: Tensor, uniforms_N: Tensor, sampling: Sampling) -> Tensor:
    """Draw by inverse transform from the likeliest tokens that together hold `top_p`.

    The token that reaches `top_p` is kept too, as in Holtzman et al. 2020 (arXiv 1904.09751).
    """
    probabilities = (likeliest_only(logits_NV, sampling.top_k) / sampling.temperature).softmax(-1)
    probabilities = without_unlikely(probabilities, sampling.min_p)
    vocabulary = logits_NV.shape[1]
    chosen = torch.zeros(len(logits_NV), dtype=torch.long, device=logits_NV.device)
    rows = torch.arange(len(logits_NV), device=logits_NV.device)
    for head in (*(head for head in HEADS if 4 * head < vocabulary), vocabulary):
        likeliest, order = _likeliest(probabilities, head)
        # Decided per row, so that no row depends on the others.
        held = (likeliest.double().sum(-1) >= sampling.top_p) | (likeliest[:, -1] == 0)
        chosen[rows] = _inverse(likeliest, order, uniforms_N[rows], sampling.top_p)
        wide = (~held).nonzero().squeeze(1)
        if head == vocabulary or not len(wide):
            break
        rows, probabilities = rows[wide], probabilities[wide]
    return chosen


def _likeliest(probabilities_NV: Tensor, count: int) -> tuple[Tensor, Tensor]:
    if count == probabilities_NV.shape[1]:
        return probabilities_NV.sort(dim=-1, descending=True, stable=True)
    return probabilities_NV.topk(count, dim=-1)


def _inverse(likeliest: Tensor, order: Tensor, uniforms_N: Tensor, top_p: float) -> Tensor:
    """Draw from tokens in the order of their ids: two whose probabilities rounding exchanges are not exchanged."""
    weights = likeliest.double()
    inside = weights.cumsum(-1) - weights < top_p
    tokens, places = order.sort(dim=-1)
    mass = (weights * inside).gather(1, places).cumsum(-1)
    total = mass[:, -1:]
    at = torch.searchsorted(mass, uniforms_N[:, None].double() * total, right=True)
    last = (mass < total).sum(-1, keepdim=True)
    return tokens.gather(1, at.minimum(last)).squeeze(1)
