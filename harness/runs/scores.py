"""The out-of-fold scores of a run and the file that keeps them. Reading them needs no torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from benchmarks.data_files import parse_json
from harness.errors import NoProbesError, QprobeError, StaleProbesError
from harness.runs.atomic import atomic_write
from harness.runs.completion import SampleId
from harness.runs.join import place
from harness.runs.store import Store
from harness.runs.untrusted import readable
from harness.stats import Control, Design, RuledScores, SampleFeatures
from sandbox import Outcome

SCORES_FILE = "scores.safetensors"
ARRAYS = ("indices_PN", "scores_SOPN", "limits_SOP", "among_SOP", "folds_SP", "units_P")
LENGTHS, LOGPROBS, TOTAL_LOGPROBS = "lengths_PN", "log_probabilities_PN", "total_log_probabilities_PN"
LEAST_LOGPROBS, CERTAINTIES = "least_log_probabilities_PN", "self_certainties_PN"
GROUPS, BASELINE, CONTROLS, LIMITS = "groups ", "baseline ", "control ", "limits "
"""The beginnings of the names of arrays that have a name in tables: groups of samples that agree, scores of baselines
and controls, and the rules of selection of the latter."""


@dataclass(frozen=True, slots=True)
class Learning:
    """Values of O objectives at T sizes of the training set, in S cross-validations."""

    objectives: tuple[str, ...]
    problems: tuple[int, ...]  # the sizes, in problems
    values_OTSP: NDArray[np.float64]  # expected reward by the rule that each problem's fold selected
    folds_SP: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Out-of-fold scores of a run. S cross-validations, P problems, N samples of a problem, O objectives, C controls.

    What is shown of single samples is of the first cross-validation.
    """

    settings: dict[str, Any]  # of the cross-validations: grader, view, folds, seed, beta, preset, grid
    problem_ids: tuple[str, ...]
    objectives: tuple[str, ...]
    indices_PN: NDArray[np.int64]  # the sample's index; -1 for padding
    seeds: tuple[int, ...]  # of the cross-validations
    scores_SOPN: NDArray[np.float32]
    limits_SOP: NDArray[np.int64]  # the rule of selection by each problem's fold; see stats.selection_by_limits
    among_SOP: NDArray[np.int64]  # samples of the best arg max among k, by each problem's fold; 0 where none was tried
    folds_SP: NDArray[np.int64]
    units_P: NDArray[np.int64]  # problems with the same number are near-duplicates, and never in two folds
    controls: dict[str, Control]  # by the name of the row
    chosen: dict[str, list[dict[str, Any]]]  # hyperparameters selected in each fold of the first, by objective
    features: SampleFeatures
    learning: Learning | None = None
    inputs: str = ""  # a hash of all that they were computed from; "" where it is not known

    @property
    def scores_OPN(self) -> NDArray[np.float64]:  # noqa: N802 - dimensions
        """The scores of the first cross-validation."""
        return np.asarray(self.scores_SOPN[0], dtype=np.float64)

    @property
    def limits_OP(self) -> NDArray[np.int64]:  # noqa: N802 - dimensions
        """The rules of the first cross-validation."""
        return np.asarray(self.limits_SOP[0])

    @property
    def fold_P(self) -> NDArray[np.int64]:  # noqa: N802 - dimensions
        """The folds of the first cross-validation."""
        return np.asarray(self.folds_SP[0])

    @property
    def design(self) -> Design:
        """The folds and near-duplicates, for which intervals allow."""
        folds_SP = self.folds_SP if len(self.folds_SP) > 1 else None
        units_P = self.units_P if len(set(self.units_P.tolist())) < len(self.units_P) else None
        return Design(folds_SP, units_P)

    def of(self, objective: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """One objective's scores in all cross-validations [S, P, N], and its rules [S, P]."""
        place = self.objectives.index(objective)
        return self.scores_SOPN[:, place].astype(np.float64), self.limits_SOP[:, place]

    def ruled(self, objective: str) -> RuledScores:
        """One objective's scores in all cross-validations with the parameters of its rules."""
        among_SP = self.among_SOP[:, self.objectives.index(objective)]
        beta = self.settings["beta"] if self.chosen[objective][0]["temperature"] else 0.0
        return RuledScores(self.of(objective)[0], beta, among_SP if among_SP.all() else None)


def current(store: Store) -> dict[str, Any]:
    """Return the grader and the view of the run's last grading and embedding."""
    about = store.about
    return {"grader": about.grader, "view": about.view}


def save_scores(store: Store, scores: Scores) -> None:
    """Write the scores into the run's folder, over earlier ones."""
    names = ("settings", "problem_ids", "objectives", "seeds", "chosen", "inputs")
    card = {name: getattr(scores, name) for name in names}
    card["controls"] = {name: control.objectives for name, control in scores.controls.items()}
    arrays = {name: getattr(scores, name) for name in ARRAYS} | _feature_arrays(scores.features)
    arrays |= {f"{CONTROLS}{name}": control.scores_CPN for name, control in scores.controls.items()}
    arrays |= {f"{LIMITS}{name}": control.limits_CP for name, control in scores.controls.items()}
    if scores.learning is not None:
        card["learning"] = {"objectives": scores.learning.objectives, "problems": scores.learning.problems}
        arrays |= {"learning_OTSP": scores.learning.values_OTSP, "learning_folds_SP": scores.learning.folds_SP}
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
    card, arrays = _read_file(path)
    with readable(path):
        of_file = {name: card["settings"][name] for name in ("grader", "view")}
    if of_file != current(store):
        raise StaleProbesError(
            f"The probes of {store.folder} are older than its verdicts or vectors: run qprobe probe again."
        )
    if set(ARRAYS) - set(arrays):
        raise QprobeError(
            f"The probes of {store.folder} are from an earlier version of qprobe: run qprobe probe again."
        )
    with readable(path):
        return _scores_of(card, arrays)


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the card and the arrays of a file. Raises QprobeError where it is damaged."""
    try:
        with safe_open(path, "np") as file:
            card = parse_json(file.metadata()["card"])
            return card, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise QprobeError(f"{path} is damaged ({error}): remove it and run qprobe probe again.") from error


def _scores_of(card: dict[str, Any], arrays: dict[str, Any]) -> Scores:
    """Return the scores of a file. Raises ValueError, TypeError or KeyError for one of another content."""
    learning = _learning_of(card.get("learning", {}), arrays)
    limits, scores = _take_out(arrays, LIMITS), _take_out(arrays, CONTROLS)
    controls = {
        name: Control(scores[name], limits[name], tuple(objectives)) for name, objectives in card["controls"].items()
    }
    names = tuple(card["problem_ids"]), tuple(card["objectives"])
    features = _features_of(arrays)
    seeds = tuple(card["seeds"])
    _check_shapes(arrays, len(seeds), len(names[1]), len(names[0]))
    return Scores(
        card["settings"],
        *names,
        **arrays,
        seeds=seeds,
        controls=controls,
        chosen=card["chosen"],
        features=features,
        learning=learning,
        inputs=card.get("inputs", ""),
    )


def _learning_of(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Learning | None:
    """Take the learning curve out of a file's arrays; earlier versions saved that of one objective."""
    if not about:
        return None
    if "objective" in about:
        about = {**about, "objectives": [about["objective"]]}
        arrays["learning_OTSP"] = arrays.pop("learning_TSP")[None]
    values = arrays.pop("learning_OTSP"), arrays.pop("learning_folds_SP")
    return Learning(tuple(about["objectives"]), tuple(about["problems"]), *values)


def _check_shapes(arrays: Mapping[str, NDArray[Any]], seeds: int, objectives: int, problems: int) -> None:
    """Raise ValueError where the arrays are not those of so many cross-validations, objectives and problems."""
    sizes = {"S": seeds, "O": objectives, "P": problems, "N": arrays["indices_PN"].shape[-1]}
    for name in ARRAYS:
        if arrays[name].shape != tuple(sizes[letter] for letter in name.rpartition("_")[2]):
            raise ValueError(f"{name} has the shape {arrays[name].shape}")


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
