"""A reward model with a head: any model for sequence classification, or a LoRA adapter with a scalar head.

A model of one label gives its logit; of more, the log-odds of one label. An adapter that `qprobe finetune --method
reward` trained reads samples as it did in its training; another model reads a conversation where its tokenizer has a
chat template, and else the problem and the program one after the other.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache

from benchmarks.choices import unknown
from harness.errors import QprobeError
from harness.finetuning.card import AdapterCard, read_card
from harness.finetuning.lora import HEAD
from harness.models.hf.chat import conversation
from harness.models.hf.embedder import HfEmbedder, is_causal
from harness.models.hf.forward import Forward
from harness.models.hf.pretrained import open_pretrained
from harness.models.hf.sequence_head import logits_of
from harness.models.tokens import prompt_ids
from harness.rewards.batches import by_length
from harness.rewards.scorer import Judged

VERSION = 1
"""Changes with how samples are put before a model."""


class ClassifierReward:
    """A transformers model for sequence classification."""

    def __init__(self, spec: str, *, label: str = "", device: str = "auto") -> None:
        """Raise QprobeError for everything that can be checked without the weights."""
        self.model = open_pretrained(spec, device=device)
        self.model.check()
        self.card = self._card()
        self._label = self._place(label)
        self._reader = HfEmbedder(spec, device=device) if self.card else None

    def _card(self) -> AdapterCard | None:
        card = read_card(Path(self.model.adapter)) if self.model.adapter else None
        if card and card.method != "reward":
            raise QprobeError(
                f"{self.model.adapter} was trained by {card.method} and has no scalar head: train one with qprobe "
                "finetune --method reward."
            )
        return card

    def _place(self, label: str) -> int:
        """Return the place of the label in the logits. Raises QprobeError for an unknown one, or for a choice."""
        config = self.model.config
        names = {0: "score"} if self.card else dict(getattr(config, "id2label", None) or {0: "score"})
        if not label and len(names) > 2:
            raise QprobeError(
                f"{self.model.name} has {len(names)} labels: choose with --label {', '.join(names.values())}."
            )
        if not label:
            return len(names) - 1
        if label not in names.values():
            raise QprobeError(unknown("label", label, names.values()))
        return next(place for place, name in names.items() if name == label)

    @property
    def identity(self) -> dict[str, Any]:
        """The model, the label, and how samples are put before it."""
        return {"fingerprint": self.model.fingerprint, "label": self._label, "version": VERSION}

    @property
    def labels(self) -> int | None:
        """The samples that its adapter was trained on; None for a model from elsewhere."""
        return self.card.rows if self.card else None

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        from transformers import AutoModelForSequenceClassification

        if self.card:
            return self.model.load(AutoModelForSequenceClassification, new=HEAD, num_labels=1)
        return self.model.load(AutoModelForSequenceClassification)

    @property
    def parameters(self) -> int:
        """The number of the model's parameters."""
        return int(self._weights.num_parameters())

    def score(self, samples: Sequence[Judged]) -> list[float]:
        """Return the logit or the log-odds of each sample; what their texts begin with is read once."""
        return by_length([self._ids(sample) for sample in samples], self._scores, self._read)

    @torch.inference_mode()
    def _read(self, ids: list[int]) -> DynamicCache | None:
        """An encoder reads later tokens too: nothing of its texts can be kept."""
        if not is_causal(self.model.config):
            return None
        return Forward(self._weights, str(self._weights.device)).read(ids)

    def _ids(self, sample: Judged) -> list[int]:
        if self._reader is not None:
            tokens = self._reader.tokenise(sample.text)
            return tokens.ids[: tokens.end]
        tokenizer, most = self.model.tokenizer, self.model.context or 10**9
        if tokenizer.chat_template:
            ids = list(prompt_ids(tokenizer, conversation(self.model, sample.problem, sample.program)))
            return ids[-most:]
        if is_causal(self.model.config):
            return list(prompt_ids(tokenizer, f"{sample.problem.rstrip()}\n\n{sample.program}"))[-most:]
        pair = tokenizer(sample.problem, sample.program, truncation=True, max_length=min(most, _limit(tokenizer)))
        return list(pair.input_ids)

    @torch.inference_mode()
    def _scores(self, rows: Sequence[Sequence[int]], after: DynamicCache | None) -> list[float]:
        logits_NC = logits_of(self._weights, rows, after)
        chosen_N = logits_NC[:, self._label]
        if logits_NC.shape[1] > 1:
            others = [place for place in range(logits_NC.shape[1]) if place != self._label]
            chosen_N = chosen_N - logits_NC[:, others].logsumexp(1)
        scores = list(map(float, chosen_N.tolist()))
        if not all(map(math.isfinite, scores)):
            raise self.model.overflow("logits", self._weights.dtype)
        return scores


def _limit(tokenizer: Any) -> int:  # noqa: ANN401 - transformers' own
    return min(int(tokenizer.model_max_length), 10**6)
