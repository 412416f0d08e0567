"""Completions from a causal transformers model, on CPU or GPU, batched across problems."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch

from harness.errors import QprobeError
from harness.models.engine import BATCH_SIZE, Generated, Request
from harness.models.hf.batch_decoding import BatchDecoder
from harness.models.hf.chat import asks_for_date, chat_prompt
from harness.models.hf.decoding import Decoder, Job
from harness.models.hf.embedder import is_causal
from harness.models.hf.forward import Forward, takes_slots
from harness.models.hf.pretrained import open_pretrained
from harness.models.sampling import Sampling
from harness.models.token_text import TEXT_VERSION, TokenText
from harness.models.tokens import prompt_ids


class HfEngine:
    """One model, one way of sampling."""

    def __init__(self, spec: str, sampling: Sampling, *, batch_size: int | None = None, device: str = "auto") -> None:
        """Check all that is cheap to check; the weights are read by the first `generate`. Raises QprobeError."""
        self.model = open_pretrained(spec, device=device)
        self.model.check()
        if not is_causal(self.model.config):
            raise QprobeError(f"{self.model.name} is an encoder ({self.model.config.model_type}): it writes no text.")
        self.sampling = sampling
        self.batch_size = batch_size or BATCH_SIZE

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self.model.spec

    @property
    def identity(self) -> dict[str, Any]:
        """All that a completion depends on besides its request."""
        date = {"date": self.model.template_date.isoformat()} if asks_for_date(self.model) else {}
        return {"fingerprint": self.model.fingerprint, "text_version": TEXT_VERSION, **date, **asdict(self.sampling)}

    @property
    def caveat(self) -> str:
        """Half precision rounds a row differently in another batch; float32 does too, but next to never visibly."""
        if self.model.target_device == "cpu" and self.model.dtype in ("auto", "float32") and not self.model.quantize:
            return ""
        return (
            "On this device, or in half precision, a row's rounding depends on its batch, so that a sample drawn in "
            "another may differ from some token on; on a CPU in float32 it does not."
        )

    def shown(self, request: Request) -> str:
        """The prompt, in the model's chat template where the request is for a chat. Raises QprobeError without one."""
        return chat_prompt(self.model, request.prompt) if request.chat else request.prompt

    def check(self, requests: Sequence[Request]) -> None:
        """Raise QprobeError where a prompt leaves the context no room for a completion."""
        prompts = map(self.shown, requests)
        check_room(self.model.tokenizer, prompts, self.sampling.max_new_tokens, self.model.context)

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        from transformers import AutoModelForCausalLM

        return self.model.load(AutoModelForCausalLM)

    @cached_property
    def _token_text(self) -> TokenText:
        return TokenText(self.model.tokenizer)

    @cached_property
    def _forward(self) -> Forward | None:
        """None where the model needs the slower way."""
        forward = Forward(self._weights, self.model.target_device)
        return forward if takes_slots(forward) else None

    @cached_property
    def _end_tokens(self) -> list[int]:
        """The tokens that end a text: chat models often name several."""
        named = self._weights.generation_config.eos_token_id
        tokens = named if isinstance(named, list) else [named]
        return sorted({token for token in (*tokens, self.model.tokenizer.eos_token_id) if token is not None})

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        """Draw the completions, and yield each with its request's position when it ends.

        Where memory does not do for a batch, what is left is drawn with smaller ones.
        """
        left = {job.position: job for job in self._jobs(requests)}
        while left:
            try:
                for position, generated in self._decoder().run(list(left.values())):
                    del left[position]
                    yield position, generated
            except FloatingPointError as error:
                raise self.model.overflow("logits", self._weights.dtype) from error
            except torch.OutOfMemoryError as error:
                if self.batch_size == 1:
                    raise QprobeError(
                        f"{self.model.target_device} has not the memory for one sequence: {error}"
                    ) from error
                self.batch_size //= 2
                torch.cuda.empty_cache()

    def _jobs(self, requests: Sequence[Request]) -> list[Job]:
        """The requests as tokens, the longest prompts first, those of one prompt together."""
        shown = [self.shown(each) for each in requests]
        tokens = {prompt: prompt_ids(self.model.tokenizer, prompt) for prompt in set(shown)}
        jobs = [
            Job(position, tokens[prompt], tuple(filter(None, each.stop)), each.seed, each.greedy)
            for position, (prompt, each) in enumerate(zip(shown, requests, strict=True))
        ]
        return sorted(jobs, key=lambda job: (-len(job.prompt), job.prompt))

    def _decoder(self) -> Decoder | BatchDecoder:
        if self._forward is not None:
            return Decoder(self._forward, self._token_text, self._end_tokens, self.sampling, self.batch_size)
        return BatchDecoder(
            self._weights, self.model.target_device, self._token_text, self._end_tokens, self.sampling, self.batch_size
        )


def check_room(tokenizer: Any, prompts: Iterable[str], new: int, context: int | None) -> None:  # noqa: ANN401
    """Raise QprobeError where a prompt and `new` tokens are longer than the context; None is one without end."""
    for prompt in dict.fromkeys(prompts):
        tokens = len(prompt_ids(tokenizer, prompt))
        if context is not None and tokens + new > context:
            raise QprobeError(
                f"A prompt of {tokens} tokens and {new} new ones exceed the model's context of {context}: "
                "lower --max-new-tokens, or choose another model."
            )
