"""Vectors of completions from the states that their model kept while it wrote them."""

from collections.abc import Mapping, Sequence

import numpy as np

from harness.models.completion_states import CompletionStates
from harness.models.engine import Embedder
from harness.models.tokens import Text
from harness.models.vectors import Vectors
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.runs.vector_file import Precision
from harness.runs.vector_store import EmbeddingSpec
from harness.stages.embed import Item, VectorWriting, as_text, items_of


class Capture:
    """Writes captured vectors where `embed` with the same embedder then finds them."""

    def __init__(
        self, store: Store, embedder: Embedder, precision: Precision, stops: Mapping[str, Sequence[str]]
    ) -> None:
        """`stops` holds each problem's stop strings."""
        wanted = EmbeddingSpec(embedder.identity, embedder.views, embedder.width, precision)
        self._store, self._embedder, self._stops = store, embedder, stops
        self._writing = VectorWriting(store, wanted.shards(store))
        self._held: dict[str, dict[Text, SampleId]] = {}  # problem -> text -> a sample whose vectors are held

    def keep(self, completions: Sequence[Completion], states: Mapping[SampleId, CompletionStates]) -> int:
        """Write the vectors of completions that the store holds already, and return how many were captured.

        A completion whose end the states do not reach is left to `embed`.
        """
        items, vectors, captured = [], [], 0
        for item in items_of(completions, self._stops, self._embedder):
            held = self._held_texts(item.samples[0].problem_id)
            if item.text in held:  # equal samples have equal vectors, whatever their batches rounded
                captured += self._writing.share(held[item.text], item.samples)
            elif (taken := self._vectors(item, states)) is not None:
                items.append(item)
                vectors.append(taken)
        if items:
            captured += self._writing.write([item.samples for item in items], np.stack(vectors))
        for item in items:  # not before they are written: ^C may come between
            self._held[item.samples[0].problem_id][item.text] = item.samples[0]
        return captured

    def _held_texts(self, problem_id: str) -> dict[Text, SampleId]:
        """Return the texts of a problem whose vectors the run holds; a resumed run is read once."""
        if problem_id not in self._held:
            present = set.intersection(*self._writing.done(problem_id))
            held = [one for one in self._store.completions(problem_id) if one.id in present]
            texts = ((as_text(one, self._stops[problem_id]), one.id) for one in held)
            self._held[problem_id] = dict(texts)
        return self._held[problem_id]

    def _vectors(self, item: Item, states: Mapping[SampleId, CompletionStates]) -> Vectors | None:
        """Return an item's vectors where the embedder would read the very tokens that were drawn."""
        kept = next((states[sample] for sample in item.samples if sample in states), None)
        tokens, end = item.tokens, item.tokens.end - item.tokens.start
        if kept is None or tokens.cut or tuple(tokens.ids[tokens.start : tokens.end]) != item.text.token_ids[:end]:
            return None
        vectors = kept.vectors(self._writing.views, end)
        return vectors if vectors is not None and np.isfinite(vectors).all() else None
