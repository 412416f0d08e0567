"""How a token is drawn: inverse transform sampling with random numbers that belong to the sample, not to the batch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor


@dataclass(frozen=True, slots=True)
class Sampling:
    """How completions are drawn. The defaults are the paper's (arXiv 2402.14688, section 4)."""

    temperature: float = 0.8  # 0 is greedy
    top_p: float = 0.95
    max_new_tokens: int = 300


def sample_seed(run_seed: int, problem_id: str, index: int) -> int:
    """The seed of one sample, 63 bits: the same whatever is drawn before, beside or after it."""
    digest = hashlib.sha256(f"{run_seed} {index} {problem_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class SeededDraws(LogitsProcessor):
    """Draws each row's next token with the row's own random numbers, and leaves greedy decoding no other choice.

    Row i's t-th token is the inverse of the (tempered, top-p) distribution function at the t-th number of a Philox
    stream keyed by the row's seed. A sample therefore does not depend on its batch, beyond rounding of the logits.
    """

    def __init__(self, sampling: Sampling, seeds: Sequence[int]) -> None:
        self._sampling = sampling
        streams = (np.random.Generator(np.random.Philox(seed)) for seed in seeds)
        self._uniforms_NT = torch.from_numpy(np.stack([s.random(sampling.max_new_tokens) for s in streams]))
        self._logprobs: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Turn the logits [rows, vocabulary] into ones that allow the drawn token alone."""
        logits = scores.float()
        uniforms = self._uniforms_NT[:, len(self._logprobs)].to(logits.device)
        chosen = draw(logits, uniforms, self._sampling.temperature, self._sampling.top_p)[:, None]
        self._logprobs.append(logits.log_softmax(-1).gather(1, chosen).squeeze(1).cpu())
        return torch.full_like(scores, -torch.inf).scatter(1, chosen, 0.0)

    def logprob(self, row: int, tokens: int) -> float:
        """The sum over a row's first `tokens` drawn tokens of log p(token) at temperature 1, in nats."""
        return float(sum(float(step[row]) for step in self._logprobs[:tokens]))


def draw(logits_NV: Tensor, uniforms_N: Tensor, temperature: float, top_p: float) -> Tensor:
    """One token a row, [rows]: of the likeliest tokens that together hold `top_p`, by inverse transform.

    The token that reaches `top_p` is kept too, as in Holtzman et al. 2020 (arXiv 1904.09751).
    """
    if temperature == 0:
        return logits_NV.argmax(-1)
    probabilities, order = (logits_NV / temperature).softmax(-1).sort(-1, descending=True)
    mass = probabilities.double().cumsum(-1)
    kept = (mass - probabilities < top_p).sum(-1, keepdim=True)
    total = mass.gather(1, kept - 1)
    rank = torch.searchsorted(mass, uniforms_N[:, None].double() * total, right=True)
    return order.gather(1, rank.minimum(kept - 1)).squeeze(1)
