"""A causal transformers model's forward pass over slots: prompts in, one token a row at a time."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from harness.models.slots import SlotCache


class Forward:
    """Calls a model by the names that this release of transformers gives to its arguments."""

    def __init__(self, model: Any, device: str) -> None:  # noqa: ANN401 - transformers' own
        self.model, self.device = model, device
        accepted = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in accepted else "past_key_values"
        self._keeps_logits = "logits_to_keep" in accepted
        config = model.config.get_text_config(decoder=True)
        self._window: int | None = getattr(config, "sliding_window", None)
        self._kinds = set(getattr(config, "layer_types", None) or ())
        self._takes_bool = config._attn_implementation == "sdpa"
        self._dtype: torch.dtype = next(model.parameters()).dtype

    def prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[Cache, Tensor]:
        """Keys and values of prompts, and the logits [prompts, vocabulary] behind each; padded on the right."""
        longest = max(map(len, prompts))
        ids = torch.tensor([[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts], device=self.device)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        positions = torch.arange(longest, device=self.device)
        padded = min(map(len, prompts)) < longest
        kept, last = torch.unique(lengths - 1, return_inverse=True)
        cache = DynamicCache()
        out = self.model(
            input_ids=ids,
            attention_mask=(positions < lengths[:, None]).long() if padded else None,
            position_ids=positions.expand(len(prompts), -1),
            use_cache=True,
            **{self._cache_name: cache},
            **({"logits_to_keep": kept} if self._keeps_logits else {}),
        )
        rows = torch.arange(len(prompts), device=self.device)
        return cache, out.logits[rows, last if self._keeps_logits else lengths - 1]

    def step(self, ids: Sequence[int], slots: SlotCache) -> Tensor:
        """The logits [rows, vocabulary] behind one more token of every row."""
        positions = torch.arange(slots.longest + 1, device=self.device)
        out = self.model(
            input_ids=torch.tensor(ids, device=self.device)[:, None],
            attention_mask=self._masks(positions, slots.lengths[:, None]),
            position_ids=slots.lengths[:, None],
            use_cache=True,
            **{self._cache_name: slots},
        )
        logits: Tensor = out.logits[:, -1]
        return logits

    def _masks(self, positions: Tensor, lengths: Tensor) -> Any:  # noqa: ANN401 - a mask, or one a kind of layer
        full = positions <= lengths
        near = full & (positions > lengths - self._window) if self._window else full
        if {"full_attention", "sliding_attention"} <= self._kinds:
            return {"full_attention": self._mask(full), "sliding_attention": self._mask(near)}
        return self._mask(full if self._kinds == {"full_attention"} else near)

    def _mask(self, seen: Tensor) -> Tensor:
        """[rows, 1, 1, positions] in the form that the model's attention takes."""
        if self._takes_bool:
            return seen[:, None, None]
        lowest = torch.finfo(self._dtype).min
        return torch.zeros(seen.shape, dtype=self._dtype, device=seen.device).masked_fill(~seen, lowest)[:, None, None]


@torch.inference_mode()
def takes_slots(forward: Forward, tolerance: float = 0.02) -> bool:
    """Whether rows of unlike lengths come out as each does alone: not so where a model keeps a state, or no positions.

    `tolerance` is a share of the logits' largest value.
    """
    vocabulary = int(forward.model.get_input_embeddings().num_embeddings)
    texts = [[(7 * i + 11 * row + 5) % vocabulary for i in range(length)] for row, length in enumerate((9, 4))]
    try:
        cache, _ = forward.prefill([text[:-1] for text in texts])
        slots = SlotCache(len(texts), cache, forward.device)
        for row, text in enumerate(texts):
            slots.load([row], cache, row, len(text) - 1)
        slots.use([len(text) - 1 for text in texts])
        found = forward.step([text[-1] for text in texts], slots)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError, RuntimeError):
        return False
    alone = [forward.model(input_ids=torch.tensor([text], device=forward.device)).logits[0, -1] for text in texts]
    expected = torch.stack(alone).float()
    return bool((found.float() - expected).abs().max() <= tolerance * expected.abs().max())
