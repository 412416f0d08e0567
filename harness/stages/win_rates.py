"""Win rates: the reply that a probe selects among a run's samples, against the chosen reply and against one sample.

The samples are those of a run with the benchmark `pairs:SET`. A judge compares replies, or rewards from files do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.pairs import PairSet
from harness.errors import QprobeError
from harness.probes import Probe
from harness.progress import SILENT, Progress
from harness.reports.given_scores import read_scores
from harness.rewards.judge import Comparison, Judge
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages.embed import embed
from harness.stages.rank import open_reader
from harness.stats import SelectionRule
from harness.stats.estimators import Bools, Floats
from harness.stats.win_rates import WinRate, win_rate

CHOSEN, BASE = "the chosen reply", "the base sample"
LONGEST, BEST = "longest", "highest reward"


@dataclass(frozen=True, slots=True)
class Replies:
    """The samples of P prompts, N each, and what they are compared with. Entries outside the mask are padding."""

    problem_ids: tuple[str, ...]
    prompts: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]  # by prompt
    chosen: tuple[str, ...]  # the reply that people preferred; () without a pair set
    mask_PN: Bools
    lengths_PN: Floats  # characters
    scores_PN: Floats  # of the probe

    @property
    def chosen_lengths_P(self) -> Floats:  # noqa: N802 - dimensions
        """The lengths of the chosen replies."""
        return np.array([float(max(len(reply), 1)) for reply in self.chosen])


@dataclass(frozen=True, slots=True)
class WinRates:
    """The table, and what it was judged by."""

    judge: str
    probe: str
    rule: str
    samples: int  # per prompt, the most
    rows: list[WinRate]
    rewards: Mapping[str, float] = field(default_factory=dict)  # mean reward by policy, from reward files
    agreement: float = float("nan")  # share of comparisons in which the judge prefers the same reply in both orders
    invalid_answers: int = 0


def read_samples(
    store: Store,
    probe: Probe,
    pair_set: PairSet | None,
    progress: Progress = SILENT,
    *,
    embedder: str | None = None,
    device: str = "auto",
    limit: int | None = None,
) -> Replies:
    """Embed the samples of a run as the probe's training did, and score them; at most `limit` prompts.

    Raises QprobeError where the run has no samples, for another model than the probe's, and where the pair set lacks a
    prompt of the run.
    """
    if probe.card.features:
        raise QprobeError("The probe reads features beside vectors: train one without --features.")
    reader = open_reader(probe, embedder, device)
    probe.require_model(reader.name, str(reader.identity.get("fingerprint", "")))
    if not store.count_samples():
        raise QprobeError(f"{store.folder} has no samples: run qprobe generate with --benchmark pairs:SET first.")
    view = embed(store, reader, progress).view
    completions = list(store.completions())
    vectors = read_views(store, view, [completion.id for completion in completions])
    scores = probe([torch.from_numpy(np.array(vectors[own])) for own in probe.card.views]).double().tolist()
    by_prompt: dict[str, list[tuple[Completion, float]]] = {}
    for completion, score in zip(completions, scores, strict=True):
        by_prompt.setdefault(completion.problem_id, []).append((completion, score))
    return _replies(dict(list(by_prompt.items())[:limit]), pair_set)


def _replies(by_prompt: Mapping[str, Sequence[tuple[Completion, float]]], pair_set: PairSet | None) -> Replies:
    most = max(map(len, by_prompt.values()))
    mask_PN = np.zeros((len(by_prompt), most), dtype=bool)
    lengths_PN, scores_PN = np.ones(mask_PN.shape), np.zeros(mask_PN.shape)
    for row, own in enumerate(by_prompt.values()):
        mask_PN[row, : len(own)] = True
        lengths_PN[row, : len(own)] = [max(len(completion.continuation), 1) for completion, _ in own]
        scores_PN[row, : len(own)] = [score for _, score in own]
    return Replies(
        tuple(by_prompt),
        tuple(own[0][0].prompt for own in by_prompt.values()),
        tuple(tuple(completion.continuation for completion, _ in own) for own in by_prompt.values()),
        _chosen(list(by_prompt), pair_set) if pair_set else (),
        mask_PN,
        lengths_PN,
        scores_PN,
    )


def _chosen(problem_ids: Sequence[str], pair_set: PairSet) -> tuple[str, ...]:
    replies = {pair.id: pair.chosen for pair in pair_set.pairs()}
    if missing := [name for name in problem_ids if name not in replies]:
        raise QprobeError(f"{pair_set.name} has no pair {missing[0]!r}: give the pair set of the run's prompts.")
    return tuple(replies[name] for name in problem_ids)


def policies(replies: Replies, name: str, rule: SelectionRule) -> dict[str, Floats]:
    """Return the chance [P, N] of each sample under the base model, the longest reply, and the probe's rule."""
    mask_PN = replies.mask_PN
    best = SelectionRule()
    return {
        "base": mask_PN / mask_PN.sum(1, keepdims=True),
        LONGEST: best.chances(replies.lengths_PN, mask_PN),
        name: rule.chances(replies.scores_PN, mask_PN),
    }


def by_rewards(
    replies: Replies, name: str, rule: SelectionRule, rewards: Path, chosen_rewards: Path | None = None
) -> WinRates:
    """Return exact win rates by the rewards of a file, over all samples that a policy may select.

    `rewards` has a row per sample (`problem`, `index`, `score`), `chosen_rewards` one per chosen reply (`problem`,
    `index` 0, `score`). Raises QprobeError for a missing reward.
    """
    rewards_PN = _placed(rewards, replies)
    chances = policies(replies, name, rule)
    chances[BEST] = SelectionRule().chances(rewards_PN, replies.mask_PN)
    base_PN, log_lengths_PN = chances["base"], np.log(replies.lengths_PN)
    beats_PNN = _beats(rewards_PN[:, :, None], rewards_PN[:, None, :])
    rows = []
    if chosen_rewards is not None:
        chosen_P = _of_chosen(chosen_rewards, replies)
        beats_PN = _beats(rewards_PN, chosen_P[:, None])
        for policy, chances_PN in chances.items():
            longer_P = (chances_PN * log_lengths_PN).sum(1) - np.log(replies.chosen_lengths_P)
            rows.append(win_rate(policy, CHOSEN, (chances_PN * beats_PN).sum(1), longer_P))
    for policy, chances_PN in list(chances.items())[1:]:
        wins_P = np.einsum("pi,pj,pij->p", chances_PN, base_PN, beats_PNN)
        rows.append(win_rate(policy, BASE, wins_P, ((chances_PN - base_PN) * log_lengths_PN).sum(1)))
    means = {policy: float((chances_PN * rewards_PN).sum(1).mean()) for policy, chances_PN in chances.items()}
    return WinRates(f"rewards of {rewards.name}", name, str(rule), replies.mask_PN.shape[1], rows, means)


def _beats(one: Floats, other: Floats) -> Floats:
    """1 where a reward is higher than another, one half where they are equal."""
    return np.asarray((np.sign(one - other) + 1) / 2)


def _placed(path: Path, replies: Replies) -> Floats:
    scores = read_scores(path)
    rewards_PN = np.zeros(replies.mask_PN.shape)
    for row, column in np.argwhere(replies.mask_PN).tolist():
        sample = SampleId(replies.problem_ids[row], column)
        if sample not in scores:
            raise QprobeError(f"{path} has no reward of sample {column} of {sample.problem_id}: score the run again.")
        rewards_PN[row, column] = scores[sample]
    return rewards_PN


def _of_chosen(path: Path, replies: Replies) -> Floats:
    scores = {sample.problem_id: value for sample, value in read_scores(path).items() if sample.sample == 0}
    if missing := [name for name in replies.problem_ids if name not in scores]:
        raise QprobeError(f"{path} has no reward of the chosen reply of {missing[0]} (index 0).")
    return np.array([scores[name] for name in replies.problem_ids])


def comparisons(
    replies: Replies, name: str, rule: SelectionRule, seed: int = 0
) -> dict[tuple[str, str], list[Comparison]]:
    """Return what a judge is asked: each policy's reply beside the chosen reply, and beside the base sample."""
    rng = np.random.default_rng(seed)
    picked = {
        policy: [int(rng.choice(chances_PN.shape[1], p=chances_N)) for chances_N in chances_PN]
        for policy, chances_PN in policies(replies, name, rule).items()
    }
    picked["base"] = [0] * len(replies.problem_ids)  # samples are drawn alike, so that the first is a random one
    asked: dict[tuple[str, str], list[Comparison]] = {}
    for policy, places in picked.items():
        texts = [own[place] for own, place in zip(replies.texts, places, strict=True)]
        if replies.chosen:
            asked[policy, CHOSEN] = _beside(replies, texts, replies.chosen)
        if policy != "base":
            asked[policy, BASE] = _beside(replies, texts, [own[0] for own in replies.texts])
    return asked


def _beside(replies: Replies, texts: Sequence[str], others: Sequence[str]) -> list[Comparison]:
    return [Comparison(*one) for one in zip(replies.prompts, texts, others, strict=True)]


def by_judge(
    judge: Judge,
    asked: Mapping[tuple[str, str], Sequence[Comparison]],
    name: str,
    rule: SelectionRule,
    samples: int,
    progress: Progress = SILENT,
) -> WinRates:
    """Return win rates by a judge's verdicts; equal replies are a tie that nothing is asked for.

    Raises QprobeError where the judge cannot be reached; what it answered is kept.
    """
    differing = [one for own in asked.values() for one in own if one.first != one.second]
    verdicts = dict(zip(differing, judge.judge(differing, progress), strict=True))
    rows = []
    for (policy, other), own in asked.items():
        wins_P = np.array([verdicts[one].win if one in verdicts else 0.5 for one in own])
        longer_P = np.array([np.log(max(len(one.first), 1) / max(len(one.second), 1)) for one in own])
        rows.append(win_rate(policy, other, wins_P, longer_P))
    agreeing = [verdict.agrees for verdict in verdicts.values() if verdict.agrees is not None]
    agreement = float(np.mean(agreeing)) if agreeing else float("nan")
    return WinRates(judge.engine.name, name, str(rule), samples, rows, {}, agreement, judge.invalid)
