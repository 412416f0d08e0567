"""An embedder that also gives the log-probability of each completion, from the same teacher-forced pass."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from harness.models.engine import Embedder, View
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.pooling import Spans
from harness.models.tokens import Tokens
from harness.models.vectors import Vectors

POSITIONS = 512
"""The number of positions whose logits over the vocabulary are held at once."""


class ReplyScorer(HfEmbedder):
    """Chosen layers and poolings of a causal model, with its head: vectors equal those of `HfEmbedder`."""

    log_probabilities: Sequence[tuple[float, int]] = ()
    """Of each sample of the last batch: the sum over its tokens of log p(token) at temperature 1, and their number."""

    @cached_property
    def _causal(self) -> Any:  # noqa: ANN401 - transformers' own
        from transformers import AutoModelForCausalLM

        return self.model.load(AutoModelForCausalLM)

    @cached_property
    def _weights(self) -> Any:  # noqa: ANN401
        return self._causal.base_model

    @property
    def _further_layers(self) -> tuple[int, ...]:
        return (self.model.layers,)

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """Return the vectors of one batch, as `HfEmbedder` does, and keep its log-probabilities."""
        self.log_probabilities = ()
        return super().embed(samples, views)

    def _see(self, layer: int, states_NTD: Tensor, samples: Sequence[Tokens], spans: Spans) -> None:
        if layer == self.model.layers:
            before_N = (spans.start - 1).tolist()  # the state that predicts each completion's first token
            self.log_probabilities = [
                self._of_sample(states_TD, before, sample)
                for states_TD, before, sample in zip(states_NTD, before_N, samples, strict=True)
            ]

    def _of_sample(self, states_TD: Tensor, before: int, sample: Tokens) -> tuple[float, int]:
        """The log-probability of a completion; a first token without a state before it does not count."""
        skipped = max(0, -before)
        ids = sample.ids[sample.start + skipped : sample.end]
        states_CD = states_TD[before + skipped : before + skipped + len(ids)]
        total = 0.0
        for first in range(0, len(ids), POSITIONS):
            logits_CV = self._logits(states_CD[first : first + POSITIONS])
            wanted_C1 = torch.tensor(ids[first : first + POSITIONS], device=logits_CV.device)[:, None]
            total += float(log_softmax(logits_CV.float(), dim=-1).gather(1, wanted_C1).sum())
        return total, len(ids)

    def _logits(self, states_CD: Tensor) -> Tensor:
        logits: Tensor = self._causal.get_output_embeddings()(states_CD)
        cap = getattr(self.model.config, "final_logit_softcapping", None)
        return logits if cap is None else cap * (logits / cap).tanh()


def with_log_probabilities(embedder: Embedder, device: str = "auto") -> Embedder:
    """Return an embedder of the same views that also scores replies, where the model is a causal one of transformers.

    Any other embedder is returned as it is.
    """
    if not isinstance(embedder, HfEmbedder) or not embedder.causal or embedder.model.location != "res":
        return embedder  # the head reads the residual stream
    layers = ",".join(dict.fromkeys(str(view.layer) for view in embedder.views))
    poolings = ",".join(dict.fromkeys(view.pooling for view in embedder.views))
    return ReplyScorer(embedder.name, layers=layers, pooling=poolings, device=device)
