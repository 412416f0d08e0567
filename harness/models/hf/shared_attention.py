"""Attention of many sequences, one token each, in which a prompt's keys and values are kept and read once for all.

A row attends to its prompt and to itself in two softmaxes, which the sums of their exponentials join
(Hydragen, Juravsky et al. 2024, arXiv 2402.05099, section 3.1).
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from harness.models.hf.kv_cache import SlotLayer

NAME = "qprobe_shared_prompts"


def shared_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,  # noqa: ANN401 - transformers' own
) -> tuple[Tensor, None]:
    """Return the attention [rows, 1, heads, width] for keys of a `SlotLayer`; a function of transformers' interface."""
    slots: SlotLayer = key.slots  # type: ignore[attr-defined]
    cache, prompts = slots.cache, slots.prompts
    slots.attended = True
    rows, heads, width = query.shape[0], query.shape[1], query.shape[3]
    grouped_NKHD = query.reshape(rows, key.shape[1], -1, width) * (width**-0.5 if scaling is None else scaling)

    parts = []
    for group in cache.groups:
        queries = grouped_NKHD[group.rows_GM.to(query.device)].transpose(1, 2)
        keys, values = (each[group.slots, :, : group.longest] for each in (prompts.keys, prompts.values))
        values_GM, sums = _attend(queries, keys, values, cache.seen_of_prompts(group, slots.window), softcap)
        parts.append([each.transpose(1, 2).flatten(0, 1) for each in (values_GM, sums)])
    places = cache.places.to(query.device)
    of_prompt, prompt_sums = (torch.cat(each)[places] for each in zip(*parts, strict=True))
    of_own, own_sums = _attend(grouped_NKHD[:, :, None], key, value, cache.seen_of_own(slots.window), softcap)
    joined = _joined(of_prompt, prompt_sums, of_own[:, :, 0], own_sums[:, :, 0], s_aux)
    return joined.to(query.dtype).reshape(rows, 1, heads, -1), None


def _attend(
    query: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None, softcap: float | None
) -> tuple[Tensor, Tensor]:
    """Softmax attention of queries [G, K heads, M rows, heads of one, D] to keys and values [G, K, positions, .].

    Returns the weighted values, [G, K, M, heads of one, D], and the logarithms of the softmax's sums, [G, K, M, ., 1].
    """
    scores = (query.flatten(2, 3) @ keys.transpose(-1, -2)).float().view(*query.shape[:4], -1)
    if softcap is not None:
        scores = softcap * (scores / softcap).tanh()
    if seen is not None:
        scores = scores.masked_fill(~seen.to(scores.device), torch.finfo(torch.float32).min)
    weights = scores.softmax(-1)
    sums = scores.amax(-1, keepdim=True) - weights.amax(-1, keepdim=True).log()
    weighted = weights.to(values.dtype).flatten(2, 3) @ values
    return weighted.float().view(*query.shape[:4], -1), sums


def _joined(of_prompt: Tensor, prompt_sums: Tensor, of_own: Tensor, own_sums: Tensor, s_aux: Tensor | None) -> Tensor:
    """Return both attentions joined; `s_aux` holds each head's logit for attending to nothing (gpt-oss)."""
    sums = [prompt_sums, own_sums]
    if s_aux is not None:
        sums.append(s_aux.float().view(1, *own_sums.shape[1:3], 1).expand_as(own_sums))
    weights = torch.stack(sums).softmax(0)
    return weights[0] * of_prompt + weights[1] * of_own


AttentionInterface.register(NAME, shared_attention)
