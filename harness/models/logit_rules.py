"""Rules that change a row's logits or probabilities before its token is drawn, as pure functions of each row alone.

They give what transformers' processors of the same names give, in transformers' order: the repetition penalty first,
then temperature, top-k, top-p and min-p. With the defaults of `Sampling` none of them changes a bit.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.models.engine import Sampling


def earlier_tokens(
    rows: Sequence[tuple[Sequence[int], Sequence[int]]], sampling: Sampling, device: str | torch.device = "cpu"
) -> Tensor | None:
    """Return the tokens of rows of prompt and completion, [rows, tokens], a short row filled with its own first token.

    None where no rule reads them. A token that occurs twice is penalised once, so the filling changes nothing.
    """
    if sampling.repetition_penalty == 1:
        return None
    texts = [[*prompt, *drawn] for prompt, drawn in rows]
    longest = max(map(len, texts))
    filled = [text + [text[0]] * (longest - len(text)) for text in texts]
    return torch.tensor(filled, dtype=torch.long, device=device)


def penalised(logits_NV: Tensor, earlier_NT: Tensor | None, penalty: float) -> Tensor:
    """Return logits in which earlier tokens are less likely (Keskar et al. 2019, arXiv 1909.05858, section 4.1).

    A positive logit is divided by the penalty and a negative one multiplied.
    """
    if penalty == 1 or earlier_NT is None or earlier_NT.shape[1] == 0:
        return logits_NV
    logits_NT = logits_NV.gather(1, earlier_NT)
    return logits_NV.scatter(1, earlier_NT, torch.where(logits_NT < 0, logits_NT * penalty, logits_NT / penalty))


def likeliest_only(logits_NV: Tensor, top_k: int) -> Tensor:
    """Return logits that allow the `top_k` likeliest tokens, and those equal to the last of them; 0 allows all."""
    if not 0 < top_k < logits_NV.shape[1]:
        return logits_NV
    least_N = logits_NV.topk(top_k, dim=-1).values[:, -1:]
    return logits_NV.masked_fill(logits_NV < least_N, -torch.inf)


def without_unlikely(probabilities_NV: Tensor, min_p: float) -> Tensor:
    """Return probabilities with 0 for tokens less likely than `min_p` of the likeliest (arXiv 2407.01082, section 3).

    They are not scaled to a sum of 1: what top-p keeps of the likelier tokens is then the same as before.
    """
    if min_p == 0:
        return probabilities_NV
    return probabilities_NV.masked_fill(probabilities_NV < min_p * probabilities_NV.amax(-1, keepdim=True), 0.0)
