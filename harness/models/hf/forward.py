"""The forward pass of a causal transformers model over slots: whole prompts, then one token per row."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from harness.models.hf import shared_attention
from harness.models.hf.captured import LayerWatch
from harness.models.hf.kv_cache import Prefilled, SlotCache, cache_argument, can_continue, continued, is_plain

PRECISE = 1e-3
"""The largest difference of logits in float32, relative to them."""

ROUNDED = 0.2
"""The largest difference of logits in half precision, relative to the effect of the prompt. Two models of 24 and 30
layers give .04 and .10 in bfloat16."""


class Forward:
    """Calls a model, with the argument names of this release of transformers."""

    def __init__(self, model: Any, device: str, watch: LayerWatch | None = None) -> None:  # noqa: ANN401 - transformers' own
        """With a watch, prompts and steps give the hidden states that it sees."""
        self.model, self.device, self.watch = model, device, watch
        self._cache_name = cache_argument(model) or "past_key_values"
        self._keeps_keys = can_continue(model)
        accepted = inspect.signature(model.forward).parameters
        self._keeps_logits, self._has_positions = "logits_to_keep" in accepted, "position_ids" in accepted
        self._config = model.config.get_text_config(decoder=True)

    def last_logits(self, rows: Sequence[Sequence[int]], after: DynamicCache | None = None) -> Tensor:
        """Return the logits [rows, vocabulary] after each row's last token; with `after` as in `prefill`."""
        if self._keeps_keys:
            return torch.stack([each.logits_V for each in self.prefill(rows, after)])
        alone = (self.model(input_ids=torch.tensor([row], device=self.device), use_cache=False) for row in rows)
        return torch.stack([out.logits[0, -1] for out in alone])

    def read(self, ids: Sequence[int]) -> DynamicCache | None:
        """Compute what several rows begin with; None where a model keeps more of it than keys and values.

        The cache is a plain one even for sliding windows, which could not be continued once they are cut.
        """
        if not self._keeps_keys:
            return None
        cache, few = DynamicCache(), {"logits_to_keep": 1} if self._keeps_logits else {}
        ids_NT = torch.tensor([ids], device=self.device)
        self.model(input_ids=ids_NT, use_cache=True, **{self._cache_name: cache}, **few)
        return cache if is_plain(cache) else None

    def prefill(self, prompts: Sequence[Sequence[int]], after: DynamicCache | None = None) -> list[Prefilled]:
        """Compute prompts in one pass, padded on the right; with `after`, what follows the tokens that were read."""
        seen = 0 if after is None else after.get_seq_length()
        longest = max(map(len, prompts))
        ids = torch.tensor([[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts], device=self.device)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        positions = torch.arange(seen + longest, device=self.device)
        padded = min(map(len, prompts)) < longest
        kept, last = torch.unique(lengths - 1, return_inverse=True)
        cache = continued(after, len(prompts))
        out = self.model(
            input_ids=ids,
            attention_mask=(positions < seen + lengths[:, None]).long() if padded else None,
            use_cache=True,
            **({"position_ids": positions[seen:].expand(len(prompts), -1)} if self._has_positions else {}),
            **{self._cache_name: cache},
            **({"logits_to_keep": kept} if self._keeps_logits else {}),
        )
        rows = torch.arange(len(prompts), device=self.device)
        logits_PV = out.logits[rows, last if self._keeps_logits else lengths - 1]
        states = self.watch.at(rows, lengths - 1) if self.watch else [None] * len(prompts)
        ends = [seen + len(prompt) for prompt in prompts]
        return [Prefilled(cache, row, end, logits_PV[row], states[row]) for row, end in enumerate(ends)]

    def slots(self, prefilled: Cache) -> SlotCache:
        """Return empty slots for a cache that `prefill` filled."""
        window = getattr(self._config, "sliding_window", None)
        kinds = getattr(self._config, "layer_types", None) or ["sliding_attention"] * len(prefilled.layers)
        if unknown := set(kinds) - {"sliding_attention", "full_attention"}:
            raise ValueError(f"unknown kinds of layers: {unknown}")
        return SlotCache(prefilled, [window if kind == "sliding_attention" else None for kind in kinds], self.device)

    def step(self, ids: Sequence[int], slots: SlotCache) -> Tensor:
        """Return the logits [rows, vocabulary] after one more token of every row."""
        usual = self._config._attn_implementation
        self._config._attn_implementation = shared_attention.NAME
        try:
            out = self.model(
                input_ids=torch.tensor(ids, device=self.device)[:, None],
                position_ids=slots.positions[:, None],
                use_cache=True,
                **{self._cache_name: slots},
            )
        finally:
            self._config._attn_implementation = usual
        logits: Tensor = out.logits[:, -1]
        return logits


@torch.inference_mode()
def takes_slots(forward: Forward) -> bool:
    """Return whether rows of different lengths give the logits that each gives alone, by `shared_attention` throughout.

    A model fails that keeps a state, has no positions, or attends by itself and so does not read the prompts: where
    attention hardly matters, the logits alone would not show it. Two of the three rows tried share a prompt.
    """
    vocabulary = int(forward.model.get_input_embeddings().num_embeddings)
    prompts = [[(7 * i + 11 * at + 5) % vocabulary for i in range(length)] for at, length in enumerate((9, 4))]
    rows = [(0, [3, 8]), (1, [6, 1]), (0, [2, 9])]  # a prompt, and tokens behind it
    try:
        prefilled = forward.prefill(prompts)
        slots = forward.slots(prefilled[0].cache)
        slots.load_prompts(prefilled, range(len(prompts)))
        slots.arrange([prompt for prompt, _ in rows])
        for at in range(2):
            slots.use([at] * len(rows))
            together = forward.step([ids[at] for _, ids in rows], slots)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError, RuntimeError):
        return False
    return slots.is_attended and _agrees(forward, together, [[*prompts[prompt], *ids] for prompt, ids in rows])


def _agrees(forward: Forward, together: Tensor, texts: Sequence[Sequence[int]]) -> bool:
    """Return whether logits are those that each text gives alone, to rounding.

    In half precision rounding grows with the model's depth, so that no share of the logits bounds it. A prompt that is
    not read, or read at wrong positions, changes the logits far more: its whole effect is the measure.
    """
    alone, unprompted = (
        torch.stack([forward.model(input_ids=torch.tensor([ids], device=forward.device)).logits[0, -1] for ids in each])
        for each in (texts, [text[-2:] for text in texts])
    )
    error = (together.float() - alone.float()).norm()
    effect = (unprompted.float() - alone.float()).norm()
    if together.dtype == torch.float32:
        return bool(error <= PRECISE * alone.norm())
    return bool(error <= ROUNDED * effect)
