"""Completions from vLLM in this process; an optional package."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from harness.errors import QprobeError
from harness.models.engine import Embedder, Generated, Request, Sampling
from harness.models.hf.engine import HfEngine, check_context
from harness.models.hf.gguf import SUFFIX
from harness.models.spec import in_home, parse_spec
from harness.models.token_text import TokenText
from harness.models.tokens import prompt_ids

NUMBERS = ("tensor_parallel_size", "max_model_len")
OF_FILES = ("revision", "trust_remote_code", "date")
"""Options that the model's configuration, tokenizer and chat template are opened with."""

OPTIONS = (*OF_FILES, "dtype", *NUMBERS)


class VllmEngine:
    """One model with one sampling; vLLM batches by itself."""

    def __init__(self, spec: str, sampling: Sampling, *, batch_size: int | None = None, device: str = "auto") -> None:
        """Raise QprobeError where vLLM is not installed, or its model cannot be opened."""
        named = parse_spec(spec, ("vllm",))
        self._spec = replace(named, name=in_home(named.name))
        self._spec.check_options(OPTIONS)
        for key in NUMBERS:
            self._spec.number(key, 1, 10**7)
        if self._spec.name.endswith(SUFFIX):
            raise QprobeError(f"vllm: takes no {SUFFIX} file: write hf: instead of vllm:, or name a folder.")
        if find_spec("vllm") is None:
            raise QprobeError("vllm: models need the package vllm: pip install vllm, or write hf: instead of vllm:.")
        self.sampling = sampling
        self._chunk = batch_size or 2048  # requests that are handed over, and yielded, together
        options = [f",{key}={self._spec.options[key]}" for key in OF_FILES if key in self._spec.options]
        self._plain = HfEngine(f"hf:{self._spec.name}{''.join(options)}", sampling, device="cpu")

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"vllm:{self._spec.name}"

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a completion depends on besides its request."""
        dtype = self._spec.options.get("dtype", "auto")
        return {**self._plain.identity, "engine": "vllm", "dtype": dtype}

    @property
    def caveat(self) -> str:
        """vLLM seeds each sample, but rounds by batch."""
        return "vLLM's rounding depends on its batches: a sample that is drawn again may differ from some token on."

    def prompt_text(self, request: Request) -> str:
        """Return the prompt, in the model's chat template where the request is a chat."""
        return self._plain.prompt_text(request)

    def check(self, requests: Sequence[Request]) -> None:
        """Raise QprobeError where the context is too short for a prompt and its completion."""
        self._plain.check(requests)
        if "max_model_len" in self._spec.options:
            prompts = map(self.prompt_text, requests)
            check_context(self._tokenizer, prompts, self.sampling.max_new_tokens, self._number("max_model_len"))

    @property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - transformers' own
        return self._plain.model.tokenizer

    def _number(self, key: str) -> int:
        return self._spec.number(key, 1, 10**7)

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - an extra's own type
        options: dict[str, Any] = {key: value for key, value in self._spec.options.items() if key != "date"}
        options |= {key: self._number(key) for key in NUMBERS if key in options}
        options["trust_remote_code"] = self._spec.flag("trust_remote_code")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # its progress of hundreds of lines, by default
        try:
            from vllm import LLM  # also fails where its CUDA or torchvision are another torch's

            return LLM(model=self._spec.name, **options)
        except (ImportError, RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().split("\n")[0]
            raise QprobeError(f"vLLM cannot load {self._spec.name}: {reason}") from error

    def capture(self, embedder: Embedder) -> bool:
        """Return False: vLLM does not hand over hidden states while it generates."""
        return False

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        """Draw the completions, some thousands at a time."""
        token_text = TokenText(self._tokenizer)
        for first in range(0, len(requests), self._chunk):
            some = requests[first : first + self._chunk]
            prompts = [
                {"prompt_token_ids": list(prompt_ids(self._tokenizer, self.prompt_text(request)))} for request in some
            ]
            answers = self._model.generate(prompts, [self._parameters(request) for request in some], use_tqdm=False)
            for position, answer in enumerate(answers, start=first):
                yield position, _generated(answer.outputs[0], token_text)

    def _parameters(self, request: Request) -> Any:  # noqa: ANN401
        from vllm import SamplingParams

        return SamplingParams(
            temperature=0.0 if request.greedy else self.sampling.temperature,
            top_p=self.sampling.top_p,
            top_k=self.sampling.top_k,  # 0 is all there too
            min_p=self.sampling.min_p,
            repetition_penalty=self.sampling.repetition_penalty,
            max_tokens=self.sampling.max_new_tokens,
            stop=list(filter(None, request.stop)),
            include_stop_str_in_output=True,
            skip_special_tokens=False,  # a special token may be a stop string
            spaces_between_special_tokens=False,
            seed=request.seed % 2**31,
            logprobs=0,
        )


def _generated(output: Any, token_text: TokenText) -> Generated:  # noqa: ANN401
    """Read the text from the tokens: vLLM's own is cut at the stop string, and the last token may reach past it."""
    ids = tuple(output.token_ids)
    # vLLM names the stop string that ended a text; an end token is named by its number, or not at all.
    ended = output.finish_reason == "stop" and not isinstance(output.stop_reason, str)
    text = token_text.written(ids, ids[-1:] if ended else ())
    return Generated(text, output.finish_reason or "", len(ids), output.cumulative_logprob, ids)
