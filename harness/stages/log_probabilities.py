"""Log-probabilities of samples by the model that reads them, from the pass that gives their vectors."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from harness.errors import QprobeError
from harness.models.engine import Embedder
from harness.models.hf.scoring_embedder import ScoringEmbedder, with_log_probabilities
from harness.models.sampling import Confidence
from harness.progress import SILENT, Progress
from harness.runs.completion import SampleId, TokenScores
from harness.runs.settings import SCORER
from harness.runs.store import Store
from harness.runs.vector_file import Precision
from harness.stages.embed import (
    SHARED_FROM,
    Embedded,
    Item,
    batches_of,
    embed,
    items_of,
    read_batches,
    stops_of,
    windows_of,
)


class Scorer(Embedder, Protocol):
    """An embedder that also gives its last batch's confidences, where it can."""

    @property
    def confidences(self) -> Sequence[Confidence]:
        """Of each sample of the last batch: log-probabilities and certainties of its tokens at temperature 1."""
        ...


def may_score(store: Store, fingerprint: str) -> bool:
    """Return whether a model may score the samples of a run: not where some have scores of the model that wrote them.

    The model that wrote them may score those that lack it.
    """
    about = store.about
    written = not about.scorer and store.has_log_probabilities()
    return bool(fingerprint) and (not written or about.generation.get("fingerprint") == fingerprint)


def embed_samples(
    store: Store,
    embedder: Embedder,
    progress: Progress = SILENT,
    precision: Precision = "float32",
    *,
    log_probability: bool = True,
    elsewhere: Callable[[Embedder], Scorer] | None = None,
) -> Embedded:
    """Embed the samples of a run, with log-probabilities for those that lack them where the embedder can give them.

    `elsewhere` returns the embedder that reads on other machines as the given one does here.
    """
    fingerprint = str(embedder.identity.get("fingerprint", ""))
    if log_probability and store.count_without_token_scores() and may_score(store, fingerprint):
        scorer = with_log_probabilities(embedder)
        if isinstance(scorer, ScoringEmbedder):
            return embed_and_score(store, elsewhere(scorer) if elsewhere else scorer, progress, precision)
    return embed(store, elsewhere(embedder) if elsewhere else embedder, progress, precision)


def embed_and_score(
    store: Store,
    scorer: Scorer,
    progress: Progress = SILENT,
    precision: Precision = "float32",
    *,
    shared_from: int = SHARED_FROM,
) -> Embedded:
    """Embed the samples, and keep the log-probabilities of those that have none of this model's.

    Each batch's are kept before its vectors, so that a run that was killed resumes. Raises QprobeError where the
    samples have log-probabilities of the model that wrote them, and it is another.
    """
    fingerprint = str(scorer.identity["fingerprint"])
    if not may_score(store, fingerprint):
        raise QprobeError(f"The samples of {store.folder} have the log-probabilities of the model that wrote them.")
    if store.about.generation.get("fingerprint") != fingerprint:
        _begin(store, scorer.name, fingerprint)

    def keep(batch: Sequence[Item]) -> None:
        store.add_token_scores(dict(_of_batch(batch, scorer)))

    embedded = embed(store, scorer, progress, precision, shared_from=shared_from, before_write=keep)
    _score_others(store, scorer, progress, shared_from)
    return embedded


def _begin(store: Store, name: str, fingerprint: str) -> None:
    """Note whose the log-probabilities are, and drop those of another model."""
    last = store.about.scorer
    if last is None or last.fingerprint != fingerprint:
        store.drop_token_scores()
    store.note(SCORER, {"model": name, "fingerprint": fingerprint})


def _score_others(store: Store, scorer: Scorer, progress: Progress, shared_from: int) -> None:
    """Score the samples that had their vectors before."""
    if not (lacking := store.count_without_token_scores()):
        return
    stops = stops_of(store)
    with progress.task("Log-probabilities", lacking) as advance:
        for window in windows_of(store):
            pending = [completion for completion in window if completion.least_logprob is None]
            items = items_of(pending, stops, scorer)
            batches = batches_of(items, shared=scorer.shares_prompts, shared_from=shared_from)
            for batch, _ in read_batches(scorer, batches, scorer.views[:1]):
                values = dict(_of_batch(batch, scorer))
                store.add_token_scores(values)
                advance(len(values))


def _of_batch(batch: Sequence[Item], scorer: Scorer) -> Iterator[tuple[SampleId, TokenScores]]:
    for item, confidence in zip(batch, scorer.confidences, strict=True):
        total, least, certainty = confidence.logprob, confidence.least_logprob, confidence.self_certainty
        yield from ((sample, TokenScores(confidence.tokens, total, least, certainty)) for sample in item.samples)
