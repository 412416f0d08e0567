"""Preferences: a pair set as a run with two replies per prompt, of which the chosen one counts as passed.

Vectors, probes, cross-validation and saved probes are those of code. Which of a pair's two samples is the chosen reply
depends on its id, so that no rule that prefers the first sample gains by it.
"""

import time
import zlib
from dataclasses import dataclass

from benchmarks.pairs import Pair, PairSet, open_pairs, pairs_digest
from benchmarks.pairs.prompts import as_problem
from harness.errors import QprobeError
from harness.models.engine import Embedder
from harness.models.hf.scoring_embedder import ScoringEmbedder, with_log_probabilities
from harness.models.model import load_model
from harness.probes.folds import check_folds
from harness.progress import SILENT, Progress
from harness.reports.render.numbers import counted
from harness.runs.completion import Completion, SampleId
from harness.runs.provenance import note_stage
from harness.runs.store import Store
from harness.runs.vector_file import Precision
from harness.stages.embed import Embedded, embed
from harness.stages.log_probabilities import embed_and_score
from harness.stages.options import PreferenceOptions, settings_of
from harness.stages.probe import Probed, probe_by
from sandbox import Outcome, Status

GRADER = "preferences"
"""The grader whose verdicts say which reply was chosen."""

OBJECTIVES = ("pairwise", "hinge", "dpo", "copg")
"""The objectives over pairs: L_QP of the paper, and the forms of it that its appendix and its code try."""

SHARED_FROM = 2
"""A prompt is computed once for the two replies of a pair."""

PAIRS = "pairs"
"""The setting of the run that says which pair set it holds."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of making a run of pairs."""

    pairs: int
    left_out: int  # rows that gave no pair
    equal: int  # pairs with equal replies, which have nothing to choose


def usable_pairs(
    pair_set: PairSet, *, split: str | None = None, limit: int | None = None
) -> tuple[list[Pair], Imported]:
    """Return the pairs of a split whose replies differ, at most `limit`, and what was left out.

    Raises QprobeError for a split that the set lacks, and where no pair is left.
    """
    pairs = pair_set.pairs()
    splits = list(dict.fromkeys(pair.split for pair in pairs))
    if split is not None and split not in splits:
        raise QprobeError(f"{pair_set.name} has no split {split!r}. Choose from {', '.join(splits)}.")
    own = [pair for pair in pairs if split in (None, pair.split)]
    differing = [pair for pair in own if pair.chosen != pair.rejected][:limit]
    if not differing:
        raise QprobeError(
            f"{pair_set.name}: the replies of all {len(own)} pairs are equal: there is nothing to choose."
        )
    equal = sum(pair.chosen == pair.rejected for pair in own)
    return differing, Imported(len(differing), len(pair_set.left_out), equal)


def import_pairs(store: Store, pair_set: PairSet, *, split: str | None = None, limit: int | None = None) -> Imported:
    """Fill a run with the pairs of a set: two samples each, and their verdicts. Pairs that it holds are kept.

    Raises QprobeError where the run holds other data: replies to the same prompts too, which no one compared.
    """
    if store.count_samples() and PAIRS not in store.settings():
        raise QprobeError(f"{store.folder} holds samples of a model or a file, not pairs: use another run folder.")
    pairs, imported = usable_pairs(pair_set, split=split, limit=limit)
    store.settle("benchmark", f"pairs:{pair_set.name}")
    store.settle(PAIRS, {"sha256": pairs_digest(pair_set.pairs()), "split": split})
    store.note("benchmark_problems", len(pairs))
    store.note("source", {"file": pair_set.name, "sha256": pairs_digest(pairs)})
    store.add_problems(map(as_problem, pairs))
    store.add_completions(completion for pair in pairs for completion in completions_of(pair))
    store.add_verdicts(GRADER, dict(verdict for pair in pairs for verdict in verdicts_of(pair)))
    store.note("grader", GRADER)
    return imported


def chosen_index(pair_id: str) -> int:
    """Return the index of the chosen reply among a pair's two samples: 0 or 1, by the id."""
    return zlib.crc32(pair_id.encode()) & 1


def completions_of(pair: Pair) -> list[Completion]:
    """Return the two replies as samples, in the order of their indices."""
    replies = [pair.chosen, pair.rejected]
    replies = replies[::-1] if chosen_index(pair.id) else replies
    return [
        Completion(pair.id, index, pair.prompt, reply, f"{pair.prompt}{reply}") for index, reply in enumerate(replies)
    ]


def verdicts_of(pair: Pair) -> list[tuple[SampleId, Outcome]]:
    """Return the outcome of each reply: passed for the chosen one."""
    chosen = chosen_index(pair.id)
    statuses = {chosen: Status.PASSED, 1 - chosen: Status.FAILED}
    return [(SampleId(pair.id, index), Outcome(status, "")) for index, status in statuses.items()]


def read_replies(
    store: Store, embedder: Embedder, progress: Progress = SILENT, precision: Precision = "float32"
) -> Embedded:
    """Embed both replies of every pair, and their log-probabilities where the embedder gives them."""
    if isinstance(embedder, ScoringEmbedder):
        return embed_and_score(store, embedder, progress, precision, shared_from=SHARED_FROM)
    return embed(store, embedder, progress, precision, shared_from=SHARED_FROM)


def run_preferences(store: Store, options: PreferenceOptions, progress: Progress = SILENT) -> None:
    """Import the pairs, embed the replies, and cross-validate probes by prompt, each as far as the run lacks it.

    Without pairs or an embedder, those of the run are used. Raises QprobeError where it has none.
    """
    started = time.monotonic()
    if options.pairs is not None:
        pair_set = open_pairs(options.pairs, min_score_ratio=options.min_score_ratio)
        chosen, _ = usable_pairs(pair_set, split=options.split, limit=options.limit)
        check_folds(len(chosen), options.folds)  # before anything is kept
        progress.message(_imported_words(import_pairs(store, pair_set, split=options.split, limit=options.limit)))
    elif store.about.grader != GRADER:
        raise QprobeError(f"{store.folder} holds no pairs: give --pairs SET.")
    if options.embedder is not None:
        model = load_model(options.embedder, device=options.device).at(options.location)
        embedder = model.embedder(options.layers, options.pooling)
        reader = with_log_probabilities(embedder) if options.log_probability else embedder
        done = read_replies(store, reader, progress, options.precision)
        progress.message(f"Embedded {done.new:,} replies.")
        if done.cut:
            progress.message(f"{done.cut:,} replies exceed the model's context: the beginning of their prompt was cut.")
    elif store.about.view is None:
        raise QprobeError(f"{store.folder} has no vectors: give --embedder MODEL.")
    probed = _probe(store, options, progress)
    verb = "Probes exist already:" if probed.reused else "Trained"
    progress.message(f"{verb} {len(probed.result.objectives)} objectives.")
    if not probed.reused:
        note_stage(store, "preferences", settings_of(options), seconds=time.monotonic() - started, before=0)


def _imported_words(imported: Imported) -> str:
    parts = [f"{counted(imported.left_out, 'row')} without a pair"] if imported.left_out else []
    parts += [f"{counted(imported.equal, 'pair')} with equal replies"] if imported.equal else []
    return f"{counted(imported.pairs, 'pair')}{'; left out: ' if parts else ''}{', '.join(parts)}."


def _probe(store: Store, options: PreferenceOptions, progress: Progress) -> Probed:
    # The replies of a pair are swapped, instead of the rewards of all samples.
    return probe_by(store, options, options.objectives or OBJECTIVES, controls=0, progress=progress)
