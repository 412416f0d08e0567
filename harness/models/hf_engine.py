"""Completions from a causal transformers model, on CPU or GPU, batched across problems."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from harness.errors import QprobeError
from harness.models.endings import Endings
from harness.models.engine import Generated, Request
from harness.models.hf_embedder import is_causal
from harness.models.pretrained import Pretrained, model_name
from harness.models.sampling import Sampling, SeededDraws


class HfEngine:
    """One model, one way of sampling."""

    def __init__(self, spec: str, sampling: Sampling, *, batch_size: int | None = None, device: str = "auto") -> None:
        """Check all that is cheap to check; the weights are read by the first `generate`. Raises QprobeError."""
        self.model = Pretrained(model_name(spec), device=device)
        self.model.check()
        if not is_causal(self.model.config):
            raise QprobeError(f"{self.model.name} is an encoder ({self.model.config.model_type}): it writes no text.")
        self.sampling = sampling
        self.batch_size = batch_size or (64 if self.model.target_device.startswith("cuda") else 32)

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"hf:{self.model.name}"

    @property
    def identity(self) -> dict[str, Any]:
        """All that a completion depends on besides its request."""
        return {"fingerprint": self.model.fingerprint, **asdict(self.sampling)}

    def check(self, prompts: Sequence[str]) -> None:
        """Raise QprobeError where a prompt leaves the context no room for a completion."""
        context = self.model.context
        for prompt in prompts:
            tokens = len(self.model.tokenizer(prompt, verbose=False).input_ids)
            if context is not None and tokens + self.sampling.max_new_tokens > context:
                raise QprobeError(
                    f"A prompt of {tokens} tokens and {self.sampling.max_new_tokens} new ones exceed the model's "
                    f"context of {context}: lower --max-new-tokens, or choose another model."
                )

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        from transformers import AutoModelForCausalLM

        return self.model.load(AutoModelForCausalLM)

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401
        tokenizer = self.model.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        return tokenizer

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request]) -> list[Generated]:
        """Draw the completions, in the order of the requests; each ends at its own stop string."""
        inputs = self._tokenizer([request.prompt for request in requests], return_tensors="pt", padding=True)
        inputs = {name: inputs[name].to(self.model.target_device) for name in ("input_ids", "attention_mask")}
        draws = SeededDraws(self.sampling, [request.seed for request in requests])
        endings = Endings(self._tokenizer, self._end_tokens, [request.stop for request in requests])
        out = self._weights.generate(
            **inputs,
            generation_config=self._plain_config(),
            logits_processor=[draws],
            stopping_criteria=[endings],
        )
        new_NT = out[:, inputs["input_ids"].shape[1] :].cpu()
        return [self._generated(ids, row, draws, endings) for row, ids in enumerate(new_NT)]

    def _plain_config(self) -> Any:  # noqa: ANN401
        """Greedy over what SeededDraws leaves; the model's own defaults (penalties, top-k) would draw otherwise."""
        from transformers import GenerationConfig

        return GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            max_new_tokens=self.sampling.max_new_tokens,
            pad_token_id=self._tokenizer.pad_token_id,
        )

    @property
    def _end_tokens(self) -> list[int]:
        """The tokens that end a text: chat models often name several."""
        named = self._weights.generation_config.eos_token_id
        tokens = named if isinstance(named, list) else [named]
        return sorted({token for token in (*tokens, self._tokenizer.eos_token_id) if token is not None})

    def _generated(self, ids: Tensor, row: int, draws: SeededDraws, endings: Endings) -> Generated:
        """One row of the output; what follows its end is of no meaning."""
        tokens = endings.length(row, len(ids))
        return Generated(
            text=self._tokenizer.decode(ids[:tokens], skip_special_tokens=True),
            finish_reason="stop" if endings.ended(row) else "length",
            tokens=tokens,
            logprob=draws.logprob(row, tokens),
        )
