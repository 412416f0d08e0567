"""An embedder that also gives the log-probabilities of each sample's tokens, from the same teacher-forced pass."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeGuard

import torch
from torch import Tensor

from harness.models.engine import Embedder, View
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.pooling import Spans
from harness.models.sampling import Confidence, token_confidences
from harness.models.tokens import Text, Tokens, spans_of_drawn
from harness.models.vectors import Vectors

POSITIONS = 512
"""The number of positions whose logits over the vocabulary are held at once."""


class ScoringEmbedder(HfEmbedder):
    """Chosen layers and poolings of a causal model, with its head: vectors equal those of `HfEmbedder`.

    Of a sample that the model drew itself all drawn tokens count, the stop string's too, as in generation.
    """

    confidences: Sequence[Confidence] = ()
    """Of each sample of the last batch: log-probabilities and certainties of its tokens at temperature 1."""

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

    def tokenise(self, text: Text) -> Tokens:
        """Return the tokens of one sample, as `HfEmbedder` does, with all that were drawn after its stop string.

        An empty sample has the end token, by which a model would have ended it.
        """
        tokens = super().tokenise(text)
        own = len(tokens.ids) - tokens.start
        drawn = text.token_ids if spans_of_drawn(text.token_ids, text, self._token_text.text) else ()
        end = self.model.tokenizer.eos_token_id
        rest = drawn[own:] if own or drawn else () if end is None else (end,)
        fits = self._context is None or len(tokens.ids) + len(rest) <= self._context
        return replace(tokens, ids=[*tokens.ids, *rest]) if fits and not tokens.cut else tokens

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """Return the vectors of one batch, as `HfEmbedder` does, and keep the confidences of its samples."""
        self.confidences = ()
        return super().embed(samples, views)

    def _see(self, layer: int, states_NTD: Tensor, samples: Sequence[Tokens], spans: Spans) -> None:
        if layer != self.model.layers:
            return
        before = (spans.start - 1).tolist()  # the state that predicts each completion's first token
        skipped = [max(0, -each) for each in before]  # a first token without a state before it does not count
        ids = [sample.ids[sample.start + skip :] for sample, skip in zip(samples, skipped, strict=True)]
        states = [
            states_TD[first + skip : first + skip + len(own)]
            for states_TD, first, skip, own in zip(states_NTD, before, skipped, ids, strict=True)
        ]
        self.confidences = self._of_tokens(torch.cat(states), ids)

    def _of_tokens(self, states_CD: Tensor, ids: Sequence[Sequence[int]]) -> list[Confidence]:
        """Return the confidence of each sample; `states_CD` predict the samples' tokens, one after the other."""
        wanted_C = torch.tensor([token for own in ids for token in own], device=states_CD.device, dtype=torch.long)
        parts = zip(torch.split(states_CD, POSITIONS), torch.split(wanted_C, POSITIONS), strict=True)
        values = [token_confidences(self._logits(states), wanted) for states, wanted in parts]
        values_C2 = torch.cat([torch.stack(pair, dim=1).double() for pair in values])
        if not values_C2[:, 0].isfinite().all():
            raise self.model.overflow("log-probabilities", self._weights.dtype)
        tokens = iter(values_C2.tolist())
        confidences = [Confidence() for _ in ids]
        for confidence, own in zip(confidences, ids, strict=True):
            for _ in own:
                confidence.add(*next(tokens))
        return confidences

    def _logits(self, states_CD: Tensor) -> Tensor:
        logits: Tensor = self._causal.get_output_embeddings()(states_CD)
        cap = getattr(self.model.config, "final_logit_softcapping", None)
        return logits if cap is None else cap * (logits / cap).tanh()


def gives_log_probabilities(embedder: Embedder) -> TypeGuard[HfEmbedder]:
    """Return whether an embedder's model can score samples: a causal one of transformers, read between its layers."""
    return isinstance(embedder, HfEmbedder) and embedder.causal and embedder.model.location == "res"


def with_log_probabilities(embedder: Embedder) -> Embedder:
    """Return an embedder of the same views that also scores samples; one that cannot is returned as it is."""
    if not gives_log_probabilities(embedder):
        return embedder
    layers = ",".join(dict.fromkeys(str(view.layer) for view in embedder.views))
    poolings = ",".join(dict.fromkeys(view.pooling for view in embedder.views))
    return ScoringEmbedder(embedder.name, layers=layers, pooling=poolings, device=embedder.model.device)
