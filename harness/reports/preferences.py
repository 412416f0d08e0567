"""The figures of a run of pairs: the accuracy of probes and baselines, by length, calibrated, by training pairs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from harness.errors import QprobeError
from harness.finetuning.card import trained_warning
from harness.reports.inputs import leading
from harness.reports.json_values import from_report_json, jsonable
from harness.runs.scores import Scores, load_scores, sample_rewards
from harness.runs.store import Store
from harness.stats import RANDOM, WITHIN, Calibration, Design, Difference, TableRow, calibrate, differences, summarise
from harness.stats.baselines import CONTRAST, MEAN_LOGPROB, SampleFeatures
from harness.stats.estimators import Bools, Floats
from harness.stats.intervals import percentile_interval, resampled_means
from harness.stats.preferences import ByLength, LengthGroups, accuracy_by_length, confidences
from harness.stats.summary import Control, Summary

SCHEMA = "qprobe-preferences/1"
CHANCE, SHUFFLED = "random choice", "shuffled pairs"
LONGEST, TOTAL_LOGPROB = "longest", "total log-probability"
ESTIMATES = "pairwise"
"""The objective whose scores are log-odds of a preference."""


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracy by number of training pairs, with 95 % intervals from resampling prompts."""

    objective: str
    pairs: tuple[int, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    others: tuple["LearningCurve", ...] = ()  # of the other objectives

    @property
    def every(self) -> "tuple[LearningCurve, ...]":
        """The curves of all objectives."""
        return (self, *self.others)


@dataclass(frozen=True, slots=True)
class PreferenceReport:
    """The numbers of a run of pairs. An accuracy is the share of pairs whose chosen reply has the higher score."""

    run: str
    pair_set: str
    pairs: int
    prompts: int
    longer_chosen: float  # share of pairs whose chosen reply is the longer one
    similar_pairs: int  # whose lengths differ by at most a tenth
    embedder: str
    views: tuple[tuple[int, str], ...]  # layers and poolings that the probes could read
    settings: dict[str, Any]  # folds, seed, repeats, preset, grid
    hyperparameters: dict[str, list[dict[str, Any]]]  # selected in each fold of the first cross-validation
    rows: tuple[TableRow, ...]  # value is the accuracy, gain what it is above one half
    lengths: list[ByLength]
    calibrations: list[Calibration]
    differences: list[Difference]  # each objective less each baseline
    learning_curve: LearningCurve | None
    warning: str = ""  # where the model that read the pairs was trained on some of them

    def __getitem__(self, name: str) -> TableRow:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)

    def as_json(self) -> dict[str, Any]:
        """Return the report in JSON's own types; numbers that do not exist are null."""
        return {"schema": SCHEMA, **jsonable(asdict(self))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the report that `as_json` wrote. Raises QprobeError for another schema or a field of another type."""
        return from_report_json(cls, data, SCHEMA)


def is_pair_run(store: Store) -> bool:
    """Return whether a run holds pairs of replies."""
    return store.about.benchmark.startswith("pairs:") and store.about.grader == "preferences"


def preference_report(store: Store) -> PreferenceReport:
    """Return the report of a run. Raises QprobeError where it holds no pairs, or has no probes."""
    if not is_pair_run(store):
        raise QprobeError(f"{store.folder} holds no pairs: give --pairs SET and another run folder.")
    scores = load_scores(store)
    rewards_PN, mask_PN = sample_rewards(store.verdicts("preferences"), scores)
    lengths_PN = scores.features.lengths_PN
    assert lengths_PN is not None  # every completion has a length
    groups = length_groups(lengths_PN, rewards_PN)
    summary = _summary(scores, rewards_PN, mask_PN, lengths_PN)
    problems = store.problems()
    prompts = {problem.id: problem.prompt for problem in problems}
    embedding = store.about.embeddings[scores.settings["view"]]
    shown = [name for name in summary.values if name not in (SHUFFLED, RANDOM, "pass@1", "pass@2")]
    return PreferenceReport(
        run=store.name,
        pair_set=store.about.benchmark.removeprefix("pairs:"),
        pairs=len(scores.problem_ids),
        prompts=len({prompts[name] for name in scores.problem_ids}),
        longer_chosen=float(np.mean(groups.longer_P)),
        similar_pairs=int(groups.similar_P.sum()),
        embedder=embedding.embedder,
        views=tuple((view.layer, view.pooling) for view in embedding.views),
        settings=scores.settings,
        hyperparameters=scores.chosen,
        rows=tuple(_named(row) for row in summary.rows if row.name != "pass@2"),
        lengths=accuracy_by_length({name: summary.values[name] for name in shown}, groups, design=scores.design),
        calibrations=calibrations(scores, rewards_PN, mask_PN),
        differences=_compared(summary, scores),
        learning_curve=_learning(scores),
        warning=trained_warning([embedding.embedder], problems),
    )


def length_groups(lengths_PN: Floats, rewards_PN: Floats) -> LengthGroups:
    """Return the pairs by the lengths of their two replies."""
    chosen_P = np.where(rewards_PN[:, 0] > 0, lengths_PN[:, 0], lengths_PN[:, 1])
    return LengthGroups.of(chosen_P, lengths_PN.sum(1) - chosen_P)


def pair_baselines(features: SampleFeatures) -> dict[str, Floats]:
    """Return the scores that need no probe, by name. The shortest reply is right where the longest is wrong."""
    known = {
        LONGEST: features.lengths_PN,
        MEAN_LOGPROB: features.log_probabilities_PN,
        TOTAL_LOGPROB: features.total_log_probabilities_PN,
        CONTRAST: features.scores.get(CONTRAST),
    }
    return {name: scores_PN for name, scores_PN in known.items() if scores_PN is not None}


def _summary(scores: Scores, rewards_PN: Floats, mask_PN: Bools, lengths_PN: Floats) -> Summary:
    controls: Mapping[str, Control] = {SHUFFLED: scores.controls[WITHIN], RANDOM: scores.controls[RANDOM]}
    return summarise(
        rewards_PN,
        mask_PN,
        {name: scores.of(name)[0] for name in scores.objectives},
        beta=float(scores.settings["beta"]),
        limits={name: scores.of(name)[1] for name in scores.objectives},
        controls=controls,
        baselines=pair_baselines(scores.features),
        lengths_PN=lengths_PN,
        design=scores.design,
    )


def _named(row: TableRow) -> TableRow:
    from dataclasses import replace

    return replace(row, name=CHANCE) if row.name == "pass@1" else row


def calibrations(scores: Scores, rewards_PN: Floats, mask_PN: Bools) -> list[Calibration]:
    """Return the calibration of each objective's sigmoid(Q - Q'); only `pairwise` is trained to be a probability."""
    return [
        calibrate(name, confidences(scores_PN), rewards_PN, mask_PN, estimates=name == ESTIMATES)
        for name, scores_PN in zip(scores.objectives, scores.scores_OPN, strict=True)
    ]


def _compared(summary: Summary, scores: Scores) -> list[Difference]:
    baselines = [name for name in pair_baselines(scores.features) if name in summary.values]
    pairs = [(name, baseline) for name in scores.objectives for baseline in baselines]
    return differences(summary.paired, pairs, simultaneous=True, design=scores.design)


def _learning(scores: Scores) -> LearningCurve | None:
    learning = scores.learning
    if learning is None:
        return None
    design = Design(None, scores.design.units_P)
    curves = {}
    for name, values_TSP in zip(learning.objectives, learning.values_OTSP, strict=True):
        values_TP = values_TSP.mean(axis=1)
        draws_TB = resampled_means(values_TP, design.counts(values_TP.shape[1], 2000, 0))
        low_T, high_T = percentile_interval(draws_TB)
        value, low, high = (tuple(map(float, column)) for column in (values_TP.mean(1), low_T, high_T))
        curves[name] = LearningCurve(name, learning.problems, value, low, high)
    first = curves.pop(leading(learning.objectives))
    return replace(first, others=tuple(curves.values()))
