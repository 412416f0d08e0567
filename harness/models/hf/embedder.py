"""Vectors from a transformers model: one teacher-forced pass over prompt and completion, pooled in float32.

Prompt and completion are tokenised apart and joined as tokens, so that no newline is added between them and the
completion's first and last positions are known. Sequences are padded on the right: later tokens cannot change a causal
model's state, and an encoder masks them. A batch whose samples continue the same prompt shares its keys and values.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.errors import QprobeError
from harness.models.engine import View
from harness.models.hf.context import encoder_context
from harness.models.hf.hidden_states import HiddenStates, OnStates, Prompt
from harness.models.hf.layers import default_layer, parse_layers, parse_poolings
from harness.models.hf.locations import check_location, width_of
from harness.models.hf.pooling import Spans, pool
from harness.models.hf.pretrained import open_pretrained
from harness.models.token_text import TokenText
from harness.models.tokens import Text, Tokens, continuation_ids, plain_ids, prompt_ids, spans_of_drawn
from harness.models.vectors import Vectors


class HfEmbedder:
    """Chosen layers and poolings of one model."""

    def __init__(
        self, spec: str, *, layers: str | None = None, pooling: str | None = None, device: str = "auto"
    ) -> None:
        """Raise QprobeError for everything that can be checked without the weights; the first `embed` reads them."""
        self.model = open_pretrained(spec, device=device)
        self.model.check()
        if getattr(self.model.config, "is_encoder_decoder", False):
            raise QprobeError(f"{self.model.name} is an encoder-decoder: choose a causal model or an encoder.")
        self.causal = is_causal(self.model.config)
        depth = self.model.layers
        self.layers = parse_layers(layers or default_layer(depth, causal=self.causal), depth)
        check_location(self.model.location, self.layers, causal=self.causal)
        self.poolings = parse_poolings(pooling or ("last" if self.causal else "mean"), causal=self.causal)
        self._prompt: Prompt | None = None  # the last shared one
        self._tokenised: tuple[str | None, tuple[list[int], ...]] = (None, ())

    @property
    def views(self) -> tuple[View, ...]:
        """The chosen layers and poolings."""
        return tuple(View(layer, pooling) for layer in self.layers for pooling in self.poolings)

    @property
    def width(self) -> int:
        """The number of values in a vector."""
        return width_of(self.model.config, self.model.location)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a vector depends on besides its view; the folder's name is not part of it."""
        return {"fingerprint": self.model.fingerprint, "version": 3}

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self.model.spec

    @cached_property
    def _context(self) -> int | None:
        """The longest input in tokens; None where there is no limit."""
        return self.model.context if self.causal else encoder_context(self.model)

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        from transformers import AutoModel

        return self.model.load(AutoModel)

    @cached_property
    def _states(self) -> HiddenStates:
        return HiddenStates(self._weights, self.model.layers, self.model.location)

    @property
    def shares_prompts(self) -> bool:
        """True if a batch of one prompt's samples is cheaper than a mixed one; reads the weights."""
        return self.causal and self._states.can_continue

    def tokenise(self, text: Text) -> Tokens:
        """Return the tokens of one sample, cut to the context at the prompt's beginning first."""
        if self._tokenised[0] != text.prompt:  # a problem's samples come together
            self._tokenised = text.prompt, self._prompt_ids(text.prompt)
        before, prompt, after = self._tokenised[1]
        ids, end = self._completion_ids(text)
        space = (self._context or 10**9) - len(before) - len(after)
        lost = max(0, len(ids) - space)
        kept = prompt[max(0, len(prompt) + len(ids) - lost - space) :]
        joined = before + kept + ids[lost:] + after or [self._filler]
        start = len(before) + len(kept)
        end, stop = (start + max(0, count - lost) for count in (end, len(ids)))
        return Tokens(joined, start, end, stop, cut=len(prompt) + len(ids) > space)

    def _prompt_ids(self, prompt: str) -> tuple[list[int], list[int], list[int]]:
        """Return the special tokens before a text, the prompt's own tokens, and the special tokens after a text."""
        if not self.causal:
            before, after = self._frame
            return before, plain_ids(self.model.tokenizer, prompt), after
        ids = list(prompt_ids(self.model.tokenizer, prompt))
        begun = ids[0] == self.model.tokenizer.bos_token_id
        return ids[:begun], ids[begun:], []

    @cached_property
    def _frame(self) -> tuple[list[int], list[int]]:
        """The special tokens that an encoder's tokenizer puts before and after a text."""
        outer, inner = list(self.model.tokenizer("x").input_ids), plain_ids(self.model.tokenizer, "x")
        starts = range(len(outer) - len(inner) + 1)
        at = next((start for start in starts if outer[start : start + len(inner)] == inner), 0)
        return outer[:at], outer[at + len(inner) :]

    def _completion_ids(self, text: Text) -> tuple[list[int], int]:
        """Return the completion's tokens, with its stop's where a pooling reads them, and the number of the former.

        They are the drawn tokens where this model's tokenizer reads the text from them.
        """
        drawn = spans_of_drawn(text.token_ids, text, self._token_text.text) if text.token_ids else None
        if drawn is not None:
            ids, (end, stop) = list(text.token_ids), drawn
        else:
            ids, behind = self._continued(text.completion), self._continued(text.stop_string)
            ids, end, stop = ids + behind, len(ids), len(ids + behind)
        return ids[: stop if "after-stop" in self.poolings else end], end

    @cached_property
    def _token_text(self) -> TokenText:
        return TokenText(self.model.tokenizer)

    def _continued(self, text: str) -> list[int]:
        if not self.causal:
            return plain_ids(self.model.tokenizer, text)
        return continuation_ids(self.model.tokenizer, text, self._token_text.text)

    @property
    def _filler(self) -> int:
        tokenizer = self.model.tokenizer
        return next((i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0)

    @torch.inference_mode()
    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """Return the vectors [samples, views, width] of one batch. Raises QprobeError for NaN and infinity."""
        layers = sorted({*(view.layer for view in views), *self._further_layers})
        pooled: dict[View, Tensor] = {}
        prompt = self._shared_prompt(samples, layers)
        spans = Spans.of(samples, skipped=len(prompt.ids) - 1 if prompt else 0, device=self._device)

        def pool_states(layer: int, states_NTD: Tensor) -> None:
            here = spans.on(states_NTD.device)
            self._see(layer, states_NTD, samples, here)
            for view in views:
                if view.layer == layer:
                    pooled[view] = pool(states_NTD, here, view.pooling).to(self._device)

        try:
            self._run(samples, prompt, layers, pool_states)
        except IndexError as error:  # of a position behind a table's end
            longest = max(len(sample.ids) for sample in samples)
            raise QprobeError(
                f"{self.model.name} cannot read {longest} tokens, although its files set no lower limit: "
                "choose another embedder."
            ) from error
        vectors: Vectors = torch.stack([pooled[view] for view in views], dim=1).cpu().numpy()
        if not np.isfinite(vectors).all():
            raise self.model.overflow("hidden states", self._weights.dtype)
        return vectors

    @property
    def _further_layers(self) -> tuple[int, ...]:
        """Layers whose states `_see` needs beside those of the views."""
        return ()

    def _see(self, layer: int, states_NTD: Tensor, samples: Sequence[Tokens], spans: Spans) -> None:
        """Read the states of a layer on the way; nothing here."""

    def _run(
        self, samples: Sequence[Tokens], prompt: Prompt | None, layers: Sequence[int], on_states: OnStates
    ) -> None:
        if prompt is None:
            ids_NT, mask_NT = self._padded([sample.ids for sample in samples])
            self._states.run(layers, on_states, ids_NT, mask_NT, use_cache=False)
        else:
            ids_NT, mask_NT = self._padded([sample.ids[sample.start :] for sample in samples])
            self._states.run_after(prompt, layers, on_states, ids_NT, mask_NT)

    def _padded(self, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Return token ids and attention mask, [rows, tokens], padded on the right."""
        longest = max(1, *(len(row) for row in rows))
        ids_NT = torch.full((len(rows), longest), self._filler)
        mask_NT = torch.zeros_like(ids_NT)
        for at, row in enumerate(rows):
            ids_NT[at, : len(row)] = torch.tensor(row, dtype=torch.long)
            mask_NT[at, : len(row)] = 1
        return ids_NT.to(self._device), mask_NT.to(self._device)

    @property
    def _device(self) -> str:
        return self.model.target_device

    def _shared_prompt(self, samples: Sequence[Tokens], layers: Sequence[int]) -> Prompt | None:
        """Return the prompt that all samples continue, computed now or before; None without a common one."""
        prefix = samples[0].prefix
        if len(samples) < 2 or not prefix or any(sample.prefix != prefix for sample in samples):
            return None
        if not self.shares_prompts or not max(layers):  # layer 0 leaves no keys, by which later tokens are numbered
            return None
        last = self._prompt
        if last is None or last.ids != prefix or set(layers) - set(last.last):
            self._prompt = self._states.read_prompt(prefix, layers)
        return self._prompt


def is_causal(config: Any) -> bool:  # noqa: ANN401 - transformers' own
    """Return whether a model of this kind continues text; one that transformers also lists as an encoder does not."""
    from transformers.models.auto import modeling_auto

    kind = config.model_type
    causal, masked = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return kind in causal and kind not in masked
