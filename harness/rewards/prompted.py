"""A prompted reward model: a language model is asked whether a program is right, and says yes or no.

The score is log p(yes) - log p(no) of its next token, where every spelling of either word counts.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from transformers import DynamicCache

from harness.errors import QprobeError
from harness.models.hf.chat import chat_prompt
from harness.models.hf.embedder import is_causal
from harness.models.hf.forward import Forward
from harness.models.hf.pretrained import open_pretrained
from harness.models.tokens import plain_ids, prompt_ids
from harness.rewards.batches import by_length
from harness.rewards.scorer import Judged

VERSION = 1
"""Changes with the text below."""
QUESTION = """Here is a programming problem and a program that is meant to solve it.

Problem:
```python
{problem}
```

Program:
```python
{program}
```

Does the program solve the problem correctly in every case? Answer with one word, Yes or No."""
WITHOUT_CHAT = QUESTION + "\nAnswer:"
"""The prompt of a model without a chat template."""
SPELLINGS = {"yes": ("Yes", " Yes", "yes", " yes", "YES"), "no": ("No", " No", "no", " no", "NO")}


class PromptedReward:
    """A causal model of transformers as a judge."""

    labels = 0
    card = None

    def __init__(self, spec: str, *, label: str = "", device: str = "auto") -> None:
        """Raise QprobeError for everything that can be checked without the weights."""
        if label:
            raise QprobeError("--label names a class of a classifier: leave it out, or give --method classifier.")
        self.model = open_pretrained(spec, device=device)
        self.model.check()
        if not is_causal(self.model.config):
            raise QprobeError(f"{self.model.name} writes no text: choose a causal model, or --method classifier.")
        self._answers = {word: self._first_tokens(spellings) for word, spellings in SPELLINGS.items()}
        if self._answers["yes"] & self._answers["no"]:
            raise QprobeError(f"{self.model.name} begins Yes and No with the same token: choose another model.")

    def _first_tokens(self, spellings: Sequence[str]) -> frozenset[int]:
        """Return the first token of each spelling, as far as it holds a letter of the word."""
        tokenizer = self.model.tokenizer
        first = (plain_ids(tokenizer, spelling)[0] for spelling in spellings)
        return frozenset(token for token in first if tokenizer.decode([token]).strip())

    @property
    def is_chat(self) -> bool:
        """True if the question is put in the model's chat template."""
        return bool(self.model.tokenizer.chat_template)

    @property
    def identity(self) -> dict[str, Any]:
        """The model, the version of the prompt, and whether it is a chat."""
        return {"fingerprint": self.model.fingerprint, "prompt": f"yes-no v{VERSION}", "chat": self.is_chat}

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        from transformers import AutoModelForCausalLM

        return self.model.load(AutoModelForCausalLM)

    @cached_property
    def _forward(self) -> Forward:
        return Forward(self._weights, str(self._weights.device))

    @property
    def parameters(self) -> int:
        """The number of the model's parameters."""
        return int(self._weights.num_parameters())

    def prompt(self, sample: Judged) -> str:
        """Return the question about a sample."""
        fields = {"problem": sample.problem.strip(), "program": sample.program.strip()}
        if not self.is_chat:
            return WITHOUT_CHAT.format(**fields)
        return chat_prompt(self.model, QUESTION.format(**fields))

    def score(self, samples: Sequence[Judged]) -> list[float]:
        """Return log p(yes) - log p(no) of each sample; what their questions begin with is read once."""
        rows = [self._cut(prompt_ids(self.model.tokenizer, self.prompt(sample))) for sample in samples]
        return by_length(rows, self._scores, self._read)

    def _cut(self, ids: Sequence[int]) -> list[int]:
        """Return the tokens of a question; where they exceed the context, without the middle."""
        most = self.model.context or len(ids)
        over = max(0, len(ids) - most)
        return [*ids[: len(ids) // 2 - over // 2], *ids[len(ids) // 2 - over // 2 + over :]]

    @torch.inference_mode()
    def _read(self, ids: list[int]) -> DynamicCache | None:
        return self._forward.read(ids)

    @torch.inference_mode()
    def _scores(self, rows: Sequence[Sequence[int]], after: DynamicCache | None) -> list[float]:
        logits_NV = self._forward.last_logits(rows, after).float()
        sums = {word: logits_NV[:, sorted(tokens)].logsumexp(1) for word, tokens in self._answers.items()}
        scores_N = sums["yes"] - sums["no"]
        if not bool(scores_N.isfinite().all()):
            raise self.model.overflow("logits", self._weights.dtype)
        return list(map(float, scores_N.tolist()))
