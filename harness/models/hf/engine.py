"""Completions from a causal transformers model, on CPU or GPU, batched across problems."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import QprobeError
from harness.models.completion_states import CAPTURED_POOLINGS
from harness.models.engine import BATCH_SIZE, Embedder, Generated, Request, Sampling
from harness.models.hf.chat import asks_for_date, chat_prompt
from harness.models.hf.embedder import is_causal
from harness.models.hf.locations import RESIDUAL
from harness.models.hf.pretrained import open_pretrained
from harness.models.token_text import TEXT_VERSION, TokenText
from harness.models.tokens import prompt_ids

if TYPE_CHECKING:  # a check of a model, as before every run, does without transformers' modules of models: two seconds
    from harness.models.hf.batch_decoding import BatchDecoder
    from harness.models.hf.decoding import Decoder, Job
    from harness.models.hf.forward import Forward


class HfEngine:
    """One model with one sampling."""

    def __init__(self, spec: str, sampling: Sampling, *, batch_size: int | None = None, device: str = "auto") -> None:
        """Raise QprobeError for everything that can be checked without the weights; the first `generate` reads them."""
        self.model = open_pretrained(spec, device=device)
        self.model.check()
        if self.model.location != RESIDUAL:
            raise QprobeError("location= is about reading samples: leave it out of the model that writes.")
        if not is_causal(self.model.config):
            kind = self.model.config.model_type
            raise QprobeError(f"{self.model.name} is an encoder ({kind}) and writes no text: choose a causal model.")
        self.sampling = sampling
        self.batch_size = batch_size or BATCH_SIZE
        self._layers: tuple[int, ...] = ()  # whose states are captured

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self.model.spec

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a completion depends on besides its request."""
        date = {"date": self.model.template_date.isoformat()} if asks_for_date(self.model) else {}
        return {"fingerprint": self.model.fingerprint, "text_version": TEXT_VERSION, **date, **self.sampling.identity}

    @property
    def caveat(self) -> str:
        """Half precision rounds a row differently in another batch; float32 does too, but almost never visibly."""
        if self.model.target_device == "cpu" and self.model.dtype in ("auto", "float32") and not self.model.quantize:
            return ""
        return (
            "On this device, or in half precision, a sample's rounding depends on its batch: drawn again, it may "
            "differ from some token on. On a CPU in float32 it does not."
        )

    def prompt_text(self, request: Request) -> str:
        """Return the prompt, in the chat template where the request is a chat. Raises QprobeError without one."""
        if not request.chat:
            return request.prompt
        sampling = self.sampling
        return chat_prompt(self.model, request.prompt, sampling.system_prompt, sampling.chat_template_kwargs)

    def check(self, requests: Sequence[Request]) -> None:
        """Raise QprobeError where the context is too short for a prompt and its completion, or options do not fit."""
        self.sampling.check_prompts(requests)
        prompts = map(self.prompt_text, requests)
        check_context(self.model.tokenizer, prompts, self.sampling.max_new_tokens, self.model.context)

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        from transformers import AutoModelForCausalLM

        return self.model.load(AutoModelForCausalLM)

    @cached_property
    def _token_text(self) -> TokenText:
        return TokenText(self.model.tokenizer)

    @cached_property
    def _forward(self) -> "Forward | None":
        """None where the model needs `BatchDecoder`."""
        from harness.models.hf.captured import LayerWatch
        from harness.models.hf.forward import Forward, takes_slots

        watch = LayerWatch(self._weights, self.model.layers, self._layers) if self._layers else None
        forward = Forward(self._weights, self.model.target_device, watch)
        return forward if takes_slots(forward) else None

    @cached_property
    def _end_tokens(self) -> list[int]:
        """The tokens that end a text; chat models often have several."""
        named = self._weights.generation_config.eos_token_id
        tokens = named if isinstance(named, list) else [named]
        return sorted({token for token in (*tokens, self.model.tokenizer.eos_token_id) if token is not None})

    def capture(self, embedder: Embedder) -> bool:
        """Capture the states that this embedder reads, where it reads this very model before its last token drawn."""
        same = embedder.identity.get("fingerprint") == self.model.fingerprint
        if same and CAPTURED_POOLINGS.issuperset(view.pooling for view in embedder.views):
            self._layers = tuple(sorted({view.layer for view in embedder.views}))
            self.__dict__.pop("_forward", None)  # one that watches other layers
        return bool(self._layers)

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        """Draw the completions, and yield each with its request's position when it ends.

        Where the memory does not suffice for a batch, the rest is drawn in smaller ones.
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
                        f"The memory of {self.model.target_device} does not suffice for one sequence ({error}): "
                        "try quantize=8bit, or a smaller model."
                    ) from error
                self.batch_size //= 2
                torch.cuda.empty_cache()

    def _jobs(self, requests: Sequence[Request]) -> "list[Job]":
        """Return the requests as tokens, the longest prompts first and those of one prompt together."""
        from harness.models.hf.decoding import Job

        texts = [self.prompt_text(request) for request in requests]
        tokens = {prompt: prompt_ids(self.model.tokenizer, prompt) for prompt in set(texts)}
        jobs = [
            Job(position, tokens[prompt], tuple(filter(None, request.stop)), request.seed, request.greedy)
            for position, (prompt, request) in enumerate(zip(texts, requests, strict=True))
        ]
        return sorted(jobs, key=lambda job: (-len(job.prompt), job.prompt))

    def _decoder(self) -> "Decoder | BatchDecoder":
        from harness.models.hf.batch_decoding import BatchDecoder
        from harness.models.hf.decoding import Decoder

        if self._forward is not None:
            return Decoder(self._forward, self._token_text, self._end_tokens, self.sampling, self.batch_size)
        return BatchDecoder(
            self._weights, self.model.target_device, self._token_text, self._end_tokens, self.sampling, self.batch_size
        )


def check_context(tokenizer: Any, prompts: Iterable[str], new: int, context: int | None) -> None:  # noqa: ANN401
    """Raise QprobeError where a prompt and `new` tokens exceed the context; None is no limit."""
    for prompt in dict.fromkeys(prompts):
        tokens = len(prompt_ids(tokenizer, prompt))
        if context is not None and tokens + new > context:
            raise QprobeError(
                f"A prompt of {tokens} tokens and {new} new ones exceed the model's context of {context}: "
                "lower --max-new-tokens, or choose another model."
            )
