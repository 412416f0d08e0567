"""Embed: vectors of every sample of a run, appended batch by batch, read memory-mapped."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
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

    prompt: str
    continuation: str
    samples: tuple[SampleId, ...]


Tokenised = tuple[Text, Tokens]


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
        for batch in _pending_batches(store, embedder, known):
            file.write(row, embedder.embed([tokens for _, tokens in batch]))
            rows = {sample: row + at for at, (text, _) in enumerate(batch) for sample in text.samples}
            store.add_vector_rows(view, rows)
            row += len(batch)
            cut += sum(len(text.samples) for text, tokens in batch if tokens.cut)
            advance(len(rows) - len(rows.keys() & known.keys()))
    store.note("view", view)
    return Embedded(view, total - len(known), len(known), cut)


def _pending_batches(store: Store, embedder: Embedder, known: Mapping[SampleId, int]) -> Iterator[list[Tokenised]]:
    """What is left to embed.

    Batches are made of all texts and only then searched for those that are left: a run that was killed goes on with
    the very batches of one that was not, so that its vectors agree to the last bit.
    """
    for window in _windows(_texts(store)):
        if all(_is_done(text, known) for text in window):
            continue
        for batch in _batches([(text, embedder.tokenise(text.prompt, text.continuation)) for text in window]):
            if pending := [item for item in batch if not _is_done(item[0], known)]:
                yield pending


def _is_done(text: Text, known: Mapping[SampleId, int]) -> bool:
    return all(sample in known for sample in text.samples)


def _texts(store: Store) -> Iterator[Text]:
    """Every text of the run, a problem at a time, equal samples of a problem once."""
    for problem in store.problems():
        samples: dict[tuple[str, str], list[SampleId]] = defaultdict(list)
        for completion in store.completions("c.problem_id = ?", (problem.id,)):
            samples[completion.prompt, completion.continuation].append(completion.id)
        for (prompt, continuation), ids in samples.items():
            yield Text(prompt, continuation, tuple(ids))


def _windows(texts: Iterator[Text]) -> Iterator[list[Text]]:
    while window := list(islice(texts, WINDOW)):
        yield window


def _batches(window: list[Tokenised]) -> Iterator[list[Tokenised]]:
    """Texts of like lengths together, as many as BATCH_TOKENS allow, the longest first."""
    batch: list[Tokenised] = []
    for item in sorted(window, key=lambda item: -len(item[1].ids)):
        if batch and (len(batch) + 1) * len(batch[0][1].ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
