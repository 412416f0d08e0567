"""Embed: vectors of every sample of a run, appended batch by batch, read memory-mapped."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.completion import SampleId
from harness.models.tokens import Tokens
from harness.store import Store
from harness.terminal import Terminal
from harness.vectors import Floats, VectorFile

BATCH_TOKENS = 8192
"""Padded tokens a batch may hold."""

WINDOW = 2048
"""Texts sorted by length at a time: enough to fill batches of like lengths, few enough to keep memory flat."""


class Embedder(Protocol):
    """Turns samples into vectors."""

    @property
    def name(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """All that a vector depends on; the same identity means the same vectors."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """(layers, poolings, width) of one sample's vectors."""
        ...

    def tokenise(self, prompt: str, completion: str) -> Tokens:
        """Tokens of one sample."""
        ...

    def embed(self, samples: Sequence[Tokens]) -> Floats:
        """Vectors [samples, layers, poolings, width], float32."""
        ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """What an embedding did."""

    view: str  # names the embedder, its layers and poolings in the store
    new: int
    reused: int
    cut: int  # samples of the new ones that were longer than the model's context


@dataclass(frozen=True, slots=True)
class Text:
    """A text to embed, and the samples that share it: equal samples have equal vectors."""

    tokens: Tokens
    samples: tuple[SampleId, ...]


def view_key(embedder: Embedder) -> str:
    """Names an embedder, its layers and poolings in a run."""
    return hashlib.sha256(json.dumps(embedder.identity, sort_keys=True).encode()).hexdigest()[:12]


def vector_file(store: Store, view: str) -> VectorFile:
    """The file that holds a view's vectors."""
    return VectorFile(store.folder / f"vectors-{view}.f32", tuple(store.settings()[f"view {view}"]["shape"]))


def embed(store: Store, embedder: Embedder, terminal: Terminal) -> Embedded:
    """Embed every sample that has no vectors in this view yet; batches are committed as they come."""
    view = view_key(embedder)
    store.note(f"view {view}", {"embedder": embedder.name, **embedder.identity, "shape": list(embedder.shape)})
    known = store.vector_rows(view)
    total = len(store.sample_ids())
    if known:
        terminal.say(f"Embedding: {len(known):,} of {total:,} samples have their vectors already.")
    cut, row, file = 0, max(known.values(), default=-1) + 1, vector_file(store, view)
    with terminal.progress("Embedding", total, len(known)) as advance:
        for batch in _batches(_texts(store, embedder, known)):
            file.write(row, embedder.embed([text.tokens for text in batch]))
            rows = {sample: row + offset for offset, text in enumerate(batch) for sample in text.samples}
            store.add_vector_rows(view, rows)
            row += len(batch)
            cut += sum(len(text.samples) for text in batch if text.tokens.cut)
            advance(len(rows))
    store.note("view", view)
    return Embedded(view, total - len(known), len(known), cut)


def _texts(store: Store, embedder: Embedder, known: dict[SampleId, int]) -> Iterator[Text]:
    """What is left to embed, a problem at a time, equal samples of a problem once."""
    for problem in store.problems():
        samples: dict[tuple[str, str], list[SampleId]] = defaultdict(list)
        for completion in store.completions("c.problem_id = ?", (problem.id,)):
            if completion.id not in known:
                samples[completion.prompt, completion.continuation].append(completion.id)
        for text, ids in samples.items():
            yield Text(embedder.tokenise(*text), tuple(ids))


def _batches(texts: Iterator[Text]) -> Iterator[list[Text]]:
    """Texts of like lengths together, as many as BATCH_TOKENS allow."""
    window: list[Text] = []
    for text in texts:
        window.append(text)
        if len(window) == WINDOW:
            yield from _filled(window)
            window = []
    yield from _filled(window)


def _filled(window: list[Text]) -> Iterator[list[Text]]:
    batch: list[Text] = []
    for text in sorted(window, key=lambda text: -len(text.tokens.ids)):
        if batch and (len(batch) + 1) * len(batch[0].tokens.ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch
