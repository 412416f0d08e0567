"""Vectors from a transformers model: one teacher-forced pass over prompt and completion, pooled in float32.

Prompt and completion are tokenised apart and joined as tokens, so that no newline is added between them and the
completion's first and last positions are known. Sequences are padded on the right: what follows a position cannot
change a causal model's state there, and an encoder masks it.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.models.layers import default_layer, parse_layers, parse_poolings
from harness.models.pretrained import Pretrained, model_name
from harness.models.tokens import Tokens
from harness.vectors import Floats


class HfEmbedder:
    """Chosen layers and poolings of one model."""

    def __init__(
        self, spec: str, *, layers: str | None = None, pooling: str | None = None, device: str = "auto"
    ) -> None:
        """Check all that is cheap to check; the weights are read by the first `embed`. Raises QprobeError."""
        self.model = Pretrained(model_name(spec), device=device)
        self.model.check()
        self.causal = is_causal(self.model.config)
        depth = self.model.layers
        self.layers = parse_layers(layers or default_layer(depth, causal=self.causal), depth)
        self.poolings = parse_poolings(pooling or ("last" if self.causal else "mean"))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(layers, poolings, width) of one sample's vectors."""
        return len(self.layers), len(self.poolings), self.model.width

    @property
    def identity(self) -> dict[str, Any]:
        """All that a vector depends on: not the folder's name, which may change."""
        return {
            "fingerprint": self.model.fingerprint,
            "layers": list(self.layers),
            "poolings": list(self.poolings),
            "version": 1,
        }

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"hf:{self.model.name}"

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        from transformers import AutoModel

        return self.model.load(AutoModel)

    @cached_property
    def _specials(self) -> tuple[list[int], list[int]]:
        """The special tokens that the tokenizer puts before and after a text."""
        specials = list(self.model.tokenizer("").input_ids)
        return specials[:1], ([] if self.causal else specials[1:])

    def tokenise(self, prompt: str, completion: str) -> Tokens:
        """Tokens of one sample. What the context has no room for is cut from the prompt's beginning first."""
        before, after = self._specials
        prompt_ids, ids = (list(self._ids(text)) for text in (prompt, completion))
        room = (self.model.context or 10**9) - len(before) - len(after)
        cut = len(prompt_ids) + len(ids) > room
        ids = ids[max(0, len(ids) - room) :]
        prompt_ids = prompt_ids[max(0, len(prompt_ids) - (room - len(ids))) :]
        joined = before + prompt_ids + ids + after or [self._filler]
        start = min(len(before) + len(prompt_ids), len(joined) - 1)
        return Tokens(joined, start, start + len(ids), cut)

    def _ids(self, text: str) -> Sequence[int]:
        found: Sequence[int] = self.model.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return found

    @property
    def _filler(self) -> int:
        tokenizer = self.model.tokenizer
        return next((i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0)

    @torch.inference_mode()
    def embed(self, samples: Sequence[Tokens]) -> Floats:
        """Vectors [samples, layers, poolings, width] of one batch."""
        longest = max(len(sample.ids) for sample in samples)
        ids_NT = torch.full((len(samples), longest), self._filler)
        mask_NT = torch.zeros_like(ids_NT)
        for row, sample in enumerate(samples):
            ids_NT[row, : len(sample.ids)] = torch.tensor(sample.ids)
            mask_NT[row, : len(sample.ids)] = 1
        device = self.model.target_device
        out = self._weights(input_ids=ids_NT.to(device), attention_mask=mask_NT.to(device), output_hidden_states=True)
        chosen = [pool(out.hidden_states[layer], samples, self.poolings) for layer in self.layers]
        vectors: Floats = torch.stack(chosen, dim=1).cpu().numpy().astype(np.float32)
        return vectors


def pool(states_NTD: Tensor, samples: Sequence[Tokens], poolings: Sequence[str]) -> Tensor:
    """Pool one layer's states to [samples, poolings, width], in float32.

    A sample without a completion is read at the last position there is, for every pooling.
    """
    positions = torch.arange(states_NTD.shape[1], device=states_NTD.device)
    rows = torch.arange(len(samples), device=states_NTD.device)
    start, end = (
        torch.tensor(column, device=states_NTD.device)
        for column in zip(*(sample.span for sample in samples), strict=True)
    )
    pooled = []
    for name in poolings:
        if name == "mean":
            inside_NT = (positions >= start[:, None]) & (positions < end[:, None])
            weights_NT = inside_NT.float() / inside_NT.sum(1, keepdim=True)
            pooled.append(torch.einsum("nt,ntd->nd", weights_NT, states_NTD.float()))
        else:
            at = end - 1 if name == "last" else (start - 1).clamp(min=0)
            pooled.append(states_NTD[rows, at].float())
    return torch.stack(pooled, dim=1)


def is_causal(config: Any) -> bool:  # noqa: ANN401 - transformers' own
    """Whether a model of this kind continues text; what transformers lists as an encoder too is one here."""
    from transformers.models.auto import modeling_auto

    kind = config.model_type
    causal, masked = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return kind in causal and kind not in masked
