"""The stage score: a reward model's score of every sample of a run, as a file that `report --scores` reads.

Scores are appended a problem at a time, and those of a killed command are kept.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import QprobeError
from harness.finetuning.card import learnt
from harness.progress import SILENT, Progress
from harness.reports.given_scores import read_scores
from harness.rewards.score_card import ScoreCard, read_score_card
from harness.rewards.scorer import Judged, Scorer
from harness.runs.completion import Completion, SampleId
from harness.runs.provenance import note_stage
from harness.runs.store import Store
from harness.stages.embed import as_text

SCORES = "scores"
"""The folder of a run's scores."""


def score(
    store: Store, scorer: Scorer, method: str, model: str, output: Path | None = None, progress: Progress = SILENT
) -> tuple[Path, ScoreCard]:
    """Score the samples that have no score yet, and return the file and its card.

    Raises QprobeError where the file holds another model's scores, and for a model that was trained on a problem of
    the run: its scores there say nothing about others.
    """
    path = output or store.folder / SCORES / f"{method}.jsonl"
    _refuse_trained(store, scorer)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _done(path, scorer, method)
    ids = [sample for sample in store.sample_ids() if sample not in done]
    started = time.monotonic()
    card = read_score_card(path) or ScoreCard(
        method, model, scorer.identity, scorer.parameters, scorer.labels, forward_passes=1
    )
    if ids:
        card.save(path)  # first: scores without a card could be another model's
        with progress.task("Scoring", len(ids) + len(done), len(done)) as advance:
            for problem_id in dict.fromkeys(sample.problem_id for sample in ids):
                samples = [completion for completion in store.completions(problem_id) if completion.id not in done]
                _append(path, samples, scorer.score(_judged(store, samples)))
                advance(len(samples))
        settings = {"model": model, "method": method, "output": str(path)}
        note_stage(store, "score", settings, seconds=time.monotonic() - started, before=store.counts()["completions"])
    progress.message(f"Scored {len(ids):,} samples; {len(done):,} had scores already.")
    return path, card


def _refuse_trained(store: Store, scorer: Scorer) -> None:
    known = learnt(scorer.card, store.problems()) if scorer.card else []
    if known:
        raise QprobeError(
            f"The reward model was trained on {len(known):,} problems of {store.folder}, first {known[0]}: score a run "
            "of other problems."
        )


def _done(path: Path, scorer: Scorer, method: str) -> set[SampleId]:
    """Return the samples that have a score. Raises QprobeError where they are of another model."""
    card = read_score_card(path)
    if card is None:
        if path.exists():
            raise QprobeError(f"{path} exists, and qprobe score did not write it: name another --output.")
        return set()
    if (card.method, dict(card.identity)) != (method, json.loads(json.dumps(scorer.identity))):
        raise QprobeError(f"{path} holds scores of another model or method: name another --output.")
    if not path.is_file():
        return set()
    _drop_cut_line(path)
    return set(read_scores(path)) if path.stat().st_size else set()


def _drop_cut_line(path: Path) -> None:
    """Cut a file behind its last line break: a killed command may leave half a line."""
    with path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def _judged(store: Store, samples: Sequence[Completion]) -> list[Judged]:
    problems, stop = {problem.id: problem for problem in store.problems()}, store.about.stop
    return [
        Judged(
            problems[sample.problem_id].prompt,
            sample.program,
            as_text(sample, problems[sample.problem_id].stop if stop is None else stop),
        )
        for sample in samples
    ]


def _append(path: Path, samples: Sequence[Completion], scores: Sequence[float]) -> None:
    rows = (
        {"problem": sample.problem_id, "index": sample.index, "score": value}
        for sample, value in zip(samples, scores, strict=True)
    )
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
        file.flush()
        os.fsync(file.fileno())
