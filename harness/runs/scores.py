"""The out-of-fold scores of a run and the file that keeps them. Reading them needs no torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from harness.errors import NoProbesError, QprobeError, StaleProbesError
from harness.runs.atomic import atomic_write
from harness.runs.completion import SampleId
from harness.runs.join import place
from harness.runs.store import Store
from harness.stats import RuledScores, SampleFeatures
from sandbox import Outcome

SCORES_FILE = "scores.safetensors"
ARRAYS = ("indices_PN", "scores_OPN", "limits_OP", "control_CPN", "control_limits_CP", "random_CPN", "fold_P")
LENGTHS, LOGPROBS, TOTAL_LOGPROBS = "lengths_PN", "log_probabilities_PN", "total_log_probabilities_PN"
LEAST_LOGPROBS, CERTAINTIES = "least_log_probabilities_PN", "self_certainties_PN"
GROUPS, BASELINE = "groups ", "baseline "
"""The beginnings of the names of arrays that have a name in tables: groups of samples that agree, and scores."""


@dataclass(frozen=True, slots=True)
class Learning:
    """Out-of-fold scores of one objective at S sizes of the training set."""

    objective: str
    problems: tuple[int, ...]  # the sizes, in problems
    scores_SPN: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Values of the same cross-validation under S seeds, which decide the folds and everything else that is random."""

    seeds: tuple[int, ...]
    values_SOP: NDArray[np.float64]  # expected reward of softmax selection among all samples; NaN where none is graded


@dataclass(frozen=True, slots=True)
class Scores:
    """Out-of-fold scores of a run. P problems, N samples of a problem, O objectives, C controls."""

    settings: dict[str, Any]  # of the cross-validation: grader, view, folds, seed, beta, preset, grid
    problem_ids: tuple[str, ...]
    objectives: tuple[str, ...]
    indices_PN: NDArray[np.int64]  # the sample's index; -1 for padding
    scores_OPN: NDArray[np.float64]
    limits_OP: NDArray[np.int64]  # the rule of selection by each problem's fold; see stats.selection_by_limits
    control_CPN: NDArray[np.float64]  # by probes trained on shuffled labels
    control_limits_CP: NDArray[np.int64]
    random_CPN: NDArray[np.float64]  # by random directions of the vectors
    fold_P: NDArray[np.int64]
    chosen: dict[str, list[dict[str, Any]]]  # hyperparameters selected in each fold, by objective
    features: SampleFeatures
    learning: Learning | None = None
    repeats: Repeats | None = None
    inputs: str = ""  # a hash of all that they were computed from; "" where it is not known

    def ruled(self, objective: str) -> RuledScores:
        """One objective's scores with the parameters of its rules."""
        folds = self.chosen[objective]
        ks = [selected["k"] for selected in folds]
        among_P = None if None in ks else np.array(ks)[self.fold_P]
        beta = self.settings["beta"] if folds[0]["temperature"] else 0.0
        return RuledScores(self.scores_OPN[self.objectives.index(objective)], beta, among_P)


def current(store: Store) -> dict[str, Any]:
    """Return the grader and the view of the run's last grading and embedding."""
    about = store.about
    return {"grader": about.grader, "view": about.view}


def save_scores(store: Store, scores: Scores) -> None:
    """Write the scores into the run's folder, over earlier ones."""
    card = {name: getattr(scores, name) for name in ("settings", "problem_ids", "objectives", "chosen", "inputs")}
    arrays = {name: getattr(scores, name) for name in ARRAYS} | _feature_arrays(scores.features)
    if scores.learning is not None:
        card["learning"] = {"objective": scores.learning.objective, "problems": scores.learning.problems}
        arrays["learning_SPN"] = scores.learning.scores_SPN
    if scores.repeats is not None:
        card["repeats"] = {"seeds": scores.repeats.seeds}
        arrays["repeats_SOP"] = scores.repeats.values_SOP
    with atomic_write(store.folder / SCORES_FILE) as draft:
        save_file(arrays, draft, metadata={"card": json.dumps(card)})


def _feature_arrays(features: SampleFeatures) -> dict[str, NDArray[Any]]:
    """Return the features by their names in the file, without those that are unknown."""
    named: dict[str, NDArray[Any] | None] = {
        LENGTHS: features.lengths_PN,
        LOGPROBS: features.log_probabilities_PN,
        TOTAL_LOGPROBS: features.total_log_probabilities_PN,
        LEAST_LOGPROBS: features.least_log_probabilities_PN,
        CERTAINTIES: features.self_certainties_PN,
    }
    named |= {f"{GROUPS}{name}": groups_PN for name, groups_PN in features.groups.items()}
    named |= {f"{BASELINE}{name}": scores_PN for name, scores_PN in features.scores.items()}
    return {name: array for name, array in named.items() if array is not None}


def _features_of(arrays: dict[str, NDArray[Any]]) -> SampleFeatures:
    """Take the features out of a file's arrays."""
    return SampleFeatures(
        lengths_PN=arrays.pop(LENGTHS, None),
        log_probabilities_PN=arrays.pop(LOGPROBS, None),
        total_log_probabilities_PN=arrays.pop(TOTAL_LOGPROBS, None),
        least_log_probabilities_PN=arrays.pop(LEAST_LOGPROBS, None),
        self_certainties_PN=arrays.pop(CERTAINTIES, None),
        groups=_take_out(arrays, GROUPS),
        scores=_take_out(arrays, BASELINE),
    )


def _take_out(arrays: dict[str, NDArray[Any]], beginning: str) -> dict[str, NDArray[Any]]:
    """Take the arrays whose names have that beginning out of a file's arrays; their names in tables follow it."""
    names = [name for name in arrays if name.startswith(beginning)]
    return {name.removeprefix(beginning): arrays.pop(name) for name in names}


def load_scores(store: Store) -> Scores:
    """Return the run's out-of-fold scores.

    Raises NoProbesError without any, StaleProbesError where verdicts or vectors are newer, QprobeError for old files.
    """
    path = store.folder / SCORES_FILE
    if not path.is_file():
        raise NoProbesError(f"{store.folder} has no probes: run qprobe probe {store.folder} first.")
    with safe_open(path, "np") as file:
        card = json.loads(file.metadata()["card"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    if {name: card["settings"][name] for name in ("grader", "view")} != current(store):
        raise StaleProbesError(
            f"The probes of {store.folder} are older than its verdicts or vectors: run qprobe probe again."
        )
    if set(ARRAYS) - set(arrays):
        raise QprobeError(
            f"The probes of {store.folder} are from an earlier version of qprobe: run qprobe probe again."
        )
    learnt_SPN, about = arrays.pop("learning_SPN", None), card.get("learning", {})
    learning = Learning(about["objective"], tuple(about["problems"]), learnt_SPN) if about else None
    values_SOP = arrays.pop("repeats_SOP", None)
    repeats = None if values_SOP is None else Repeats(tuple(card["repeats"]["seeds"]), values_SOP)
    names = tuple(card["problem_ids"]), tuple(card["objectives"])
    features = _features_of(arrays)
    return Scores(
        card["settings"],
        *names,
        **arrays,
        chosen=card["chosen"],
        features=features,
        learning=learning,
        repeats=repeats,
        inputs=card.get("inputs", ""),
    )


def scores_if_current(store: Store) -> Scores | None:
    """Return the run's out-of-fold scores; None without any, or if verdicts or vectors are newer."""
    try:
        return load_scores(store)
    except QprobeError:
        return None


def why_no_scores(store: Store) -> str:
    """Return why the scores of a run that has probes cannot be used; "" where they can, or there are no probes."""
    try:
        load_scores(store)
    except NoProbesError:
        return ""
    except QprobeError as error:
        return str(error)
    return ""


def sample_rewards(
    verdicts: Mapping[SampleId, Outcome], scores: Scores
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the rewards at the places of the scores, and the mask of those that exist, [P, N] each."""
    rewards = {sample: outcome.reward for sample, outcome in verdicts.items() if outcome.reward is not None}
    rewards_PN = place(rewards, scores.problem_ids, scores.indices_PN, float("nan"))
    mask_PN = ~np.isnan(rewards_PN)
    return np.where(mask_PN, rewards_PN, 0.0), mask_PN
