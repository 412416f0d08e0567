"""Embed: the vectors of every sample of a run, written batch by batch and read memory-mapped."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import QprobeError
from harness.models.engine import BatchEmbedder, Embedder, View
from harness.models.tokens import Text, Tokens
from harness.models.vectors import Vectors
from harness.progress import SILENT, Progress
from harness.runs.completion import Completion, SampleId
from harness.runs.settings import VIEW
from harness.runs.store import Store
from harness.runs.vector_file import Precision
from harness.runs.vector_store import EmbeddingSpec, VectorShard

BATCH_TOKENS = 8192
"""The most padded tokens in a batch; a shared prompt counts once per sample, as its keys and values do."""

SIMILAR = 0.75
"""The least length of a text relative to the longest of its batch, once the batch is worth a pass."""

WORTH_A_PASS = 256
"""The number of tokens from which a pass costs more than its overhead."""

WINDOW = 2048
"""The number of texts sorted by length together: enough to fill even batches, few enough to keep memory constant."""

SHARED_FROM = 4
"""The number of different completions from which a prompt gets separate batches, if the embedder can share it."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The result of an embedding."""

    view: str  # the key of the embedder, its layers and poolings in the store
    new: int
    reused: int
    cut: int  # new samples that were longer than the model's context


@dataclass(frozen=True, slots=True)
class Item:
    """A text to embed, its tokens, and the samples that share it: equal samples have equal vectors."""

    text: Text
    tokens: Tokens
    samples: tuple[SampleId, ...]


def embed(
    store: Store,
    embedder: Embedder,
    progress: Progress = SILENT,
    precision: Precision = "float32",
    *,
    shared_from: int = SHARED_FROM,
    before_write: Callable[[Sequence[Item]], None] | None = None,
) -> Embedded:
    """Embed every sample that lacks vectors of the embedder's views, and commit batch by batch.

    A prompt is shared by `shared_from` different completions or more; `before_write` is called with each batch before
    its vectors are written, so that nothing else that a pass gives is lost. Raises QprobeError for an embedder that
    fails, or gives NaN or infinity.
    """
    wanted = EmbeddingSpec(embedder.identity, embedder.views, embedder.width, precision)
    writing = VectorWriting(store, wanted.shards(store))
    writing.describe(wanted.key, embedder.name, embedder.identity, embedder.views)
    shards = [shard.key for shard in writing.shards]
    total = store.count_samples()
    reused = total - (pending := store.count_without_vectors(shards))
    if reused:
        progress.message(f"Embedding: {reused:,} of {total:,} samples have their vectors already.")
    cut = 0
    if pending:
        with progress.task("Embedding", total, reused) as advance:
            batches = _pending_batches(store, embedder, writing, shared_from)
            for batch, vectors in read_batches(embedder, batches, writing.views):
                if before_write:
                    before_write(batch)
                advance(writing.write([item.samples for item in batch], vectors))
                cut += sum(len(item.samples) for item in batch if item.tokens.cut)
    store.note("view", wanted.key)
    return Embedded(wanted.key, pending, reused, cut)


def read_batches(
    embedder: Embedder, batches: Iterable[list[Item]], views: Sequence[View]
) -> Iterator[tuple[list[Item], Vectors]]:
    """Yield batches with their vectors [items, views, width]; an embedder on other machines reads several at a time.

    Raises QprobeError for NaN and infinity.
    """
    asked = ((batch, [item.tokens for item in batch]) for batch in batches)
    if isinstance(embedder, BatchEmbedder):
        read: Iterator[tuple[list[Item], Vectors]] = embedder.embed_batches(asked, views)
    else:
        read = ((batch, embedder.embed(tokens, views)) for batch, tokens in asked)
    for batch, vectors in read:
        if not np.isfinite(vectors).all():
            raise QprobeError(f"The vectors of {embedder.name} hold NaN or infinity: choose another embedder.")
        yield batch, vectors


class VectorWriting:
    """The shards of one embedding, and the samples that each of them lacks."""

    def __init__(self, store: Store, shards: Sequence[VectorShard]) -> None:
        self.shards = shards
        self.views = tuple(view for shard in shards for view in shard.views)
        self._store = store
        self._next_row = {shard.key: store.next_vector_row(shard.key) for shard in shards}

    def describe(self, key: str, embedder: str, identity: Mapping[str, Any], views: Sequence[View]) -> None:
        """Note what the embedding of that key is: its model, views and shards."""
        shards = [shard.key for shard in self.shards]
        self._store.note(f"{VIEW}{key}", {"embedder": embedder, **identity, "views": views, "shards": shards})

    def done(self, problem_id: str) -> list[set[SampleId]]:
        """Return, for each shard, the problem's samples that it holds."""
        return [set(self._store.vector_rows(shard.key, problem_id)) for shard in self.shards]

    def share(self, sample: SampleId, others: Sequence[SampleId]) -> int:
        """Give other samples of the same text the vectors of one that has them. Returns their number."""
        held = {shard.key: self._store.vector_rows(shard.key, sample.problem_id)[sample] for shard in self.shards}
        self._store.add_vector_rows({key: dict.fromkeys(others, row) for key, row in held.items()})
        return len(others)

    def write(self, samples: Sequence[Sequence[SampleId]], vectors: Vectors) -> int:
        """Write vectors where they are missing, and commit them. Returns the number of new samples.

        `samples` are those of each row of the vectors.
        """
        problems = {sample.problem_id for own in samples for sample in own}
        held = list(zip(*(self.done(problem) for problem in problems), strict=True))
        first, rows, new = 0, {}, set()
        for shard, sets in zip(self.shards, held, strict=True):
            present, views = set().union(*sets), slice(first, first + len(shard.views))
            lacking = [at for at, own in enumerate(samples) if not present.issuperset(own)]
            row = self._next_row[shard.key]
            if lacking:
                shard.file.write(row, vectors[lacking, views])
            rows[shard.key] = {s: row + n for n, at in enumerate(lacking) for s in samples[at]}
            new |= rows[shard.key].keys() - present
            self._next_row[shard.key] += len(lacking)
            first += len(shard.views)
        self._store.add_vector_rows(rows)
        return len(new)


def _pending_batches(
    store: Store, embedder: Embedder, writing: VectorWriting, shared_from: int
) -> Iterator[list[Item]]:
    """Yield the batches that are left to embed.

    Batches are made of all texts and only then reduced to those that are left: a run that was killed resumes with the
    same batches as one that was not, so that its vectors agree to the last bit.
    """
    stops = stops_of(store)
    for window in windows_of(store):
        ids = {completion.problem_id for completion in window}
        present = {problem: set.intersection(*writing.done(problem)) for problem in ids}
        lacking = {completion.id for completion in window if completion.id not in present[completion.problem_id]}
        if lacking:
            items = items_of(window, stops, embedder)
            for batch in batches_of(items, shared=embedder.shares_prompts, shared_from=shared_from):
                if pending := [item for item in batch if lacking.intersection(item.samples)]:
                    yield pending


def stops_of(store: Store) -> dict[str, tuple[str, ...]]:
    """Return the stop strings of each problem of a run."""
    stop = store.about.stop  # the prompt's, where it has its own
    return {problem.id: problem.stop if stop is None else stop for problem in store.problems()}


def windows_of(store: Store) -> Iterator[list[Completion]]:
    """Yield the run's completions, whole problems at a time."""
    window: list[Completion] = []
    least = store.about.block or WINDOW
    for problem in store.problems():
        window += store.completions(problem.id)
        if len(window) >= least:
            yield window
            window = []
    if window:
        yield window


def items_of(window: Sequence[Completion], stops: Mapping[str, Sequence[str]], embedder: Embedder) -> list[Item]:
    """Return every different text of some completions; `stops` holds each problem's stop strings."""
    samples: dict[Text, list[SampleId]] = defaultdict(list)
    for completion in window:
        samples[as_text(completion, stops[completion.problem_id])].append(completion.id)
    return [Item(text, embedder.tokenise(text), tuple(ids)) for text, ids in samples.items()]


def as_text(completion: Completion, stops: Sequence[str]) -> Text:
    """Return a completion as an embedder reads it: the model's text up to the end of its program.

    Where the text does not begin with the program (a fenced block in prose), the embedder reads all of it.
    """
    text, program = completion.text, completion.continuation
    if not text or not text.startswith(program):
        return Text.of(completion.prompt, text or program, token_ids=completion.token_ids)
    stop = next((stop for stop in stops if text.startswith(stop, len(program))), "")
    if not completion.token_ids:
        return Text.of(completion.prompt, program, stop)
    return Text(completion.prompt, text, len(program), len(program) + len(stop), completion.token_ids)


def batches_of(items: Sequence[Item], *, shared: bool, shared_from: int = SHARED_FROM) -> Iterator[list[Item]]:
    """Yield batches of one prompt's samples where that is worth it, and mixed batches of the others."""
    by_prompt: Mapping[tuple[int, ...], list[Item]] = defaultdict(list)
    for item in items:
        by_prompt[item.tokens.prefix if shared else ()].append(item)
    few = [item for group in by_prompt.values() if len(group) < shared_from for item in group]
    for group in by_prompt.values():
        if len(group) >= shared_from:
            yield from _of_similar_lengths(group, shared=len(group[0].tokens.prefix) if shared else 0)
    yield from _of_similar_lengths(few)


def _of_similar_lengths(items: Iterable[Item], shared: int = 0) -> Iterator[list[Item]]:
    """Yield batches of similar lengths, the longest first; the first `shared` tokens are not computed again."""
    batch: list[Item] = []
    for item in sorted(items, key=lambda item: -len(item.tokens.ids)):
        if batch and _is_full(batch, item, shared):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _is_full(batch: Sequence[Item], item: Item, shared: int) -> bool:
    """Return whether one more text takes too much memory, or more padding than another pass costs."""
    longest = len(batch[0].tokens.ids)
    if (len(batch) + 1) * longest > BATCH_TOKENS:
        return True
    short = len(item.tokens.ids) - shared < SIMILAR * (longest - shared)
    return short and len(batch) * (longest - shared) >= WORTH_A_PASS


def embed_completions(
    completions: Sequence[Completion],
    embedder: Embedder,
    stops: Mapping[str, Sequence[str]],
    progress: Progress = SILENT,
) -> dict[View, Vectors]:
    """Return per view an array [completions, width] in their order; `stops` holds each problem's stop strings."""
    rows = {completion.id: row for row, completion in enumerate(completions)}
    vectors = np.zeros((len(completions), len(embedder.views), embedder.width), dtype=np.float32)
    with progress.task("Embedding", len(completions)) as advance:
        batches = batches_of(items_of(completions, stops, embedder), shared=embedder.shares_prompts)
        for batch, batch_vectors in read_batches(embedder, batches, embedder.views):
            for item, item_vectors in zip(batch, batch_vectors, strict=True):
                vectors[[rows[sample] for sample in item.samples]] = item_vectors
                advance(len(item.samples))
    return {view: vectors[:, place] for place, view in enumerate(embedder.views)}
