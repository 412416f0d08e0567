"""Probe: cross-validate every objective on a run's vectors and verdicts, and keep the out-of-fold scores."""

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from harness.completion import SampleId
from harness.errors import QprobeError
from harness.features import sample_features
from harness.files import whole_file
from harness.numbers import SampleFeatures
from harness.probe_files import FOLDER, out_of_fold_figures, save_probes
from harness.probes import (
    DEFAULT_OBJECTIVES,
    Choices,
    CrossValidation,
    Plan,
    Samples,
    cross_validate,
    group_near_duplicates,
    train_probes,
)
from harness.probes.controls import random_directions
from harness.probes.learning import learning_curve
from harness.probes.nested import Choice
from harness.probes.samples import ProbeError
from harness.shelves import read_views
from harness.store import Store

SCORES_FILE = "scores.safetensors"
LEARNING_SIZES = (10, 20, 50, 100, 200, 500, 1000)
LENGTHS, LOGPROBS = "lengths_PN", "log_probabilities_PN"


@dataclass(frozen=True, slots=True)
class Learning:
    """Out-of-fold scores of one objective from S sizes of training set."""

    objective: str
    problems: tuple[int, ...]  # how many were learnt from
    scores_SPN: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Out-of-fold scores of a run. P problems, N samples of a problem, O objectives, C controls."""

    settings: dict[str, Any]  # what the probes were trained on and how
    problem_ids: tuple[str, ...]
    objectives: tuple[str, ...]
    indices_PN: NDArray[np.int64]  # the sample's index; -1 for padding
    scores_OPN: NDArray[np.float64]
    control_CPN: NDArray[np.float64]  # by probes trained on shuffled labels
    random_CPN: NDArray[np.float64]  # by random directions of the vectors
    fold_P: NDArray[np.int64]
    chosen: dict[str, list[dict[str, Any]]]  # for each objective, what was chosen in each fold
    features: SampleFeatures
    learning: Learning | None = None


def probe(
    store: Store,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    folds: int = 5,
    seed: int = 0,
    beta: float = 0.1,
    preset: str = "nested",
    learning: bool = False,
    choices: Choices | None = None,
    group_duplicates: bool = False,
) -> CrossValidation:
    """Cross-validate by problem, and keep a probe of each objective, trained on all problems, as a file.

    With `learning`, the learning curve of the paper's own objective too (of the first, where `pg` is not asked for).
    `choices` says what is chosen between instead of what the preset tries; with `group_duplicates`, problems whose
    prompts nearly agree share a fold. Raises QprobeError where verdicts or vectors are missing.
    """
    plan = (choices or Choices()).plan(preset)
    samples = load_samples(store)
    groups = near_duplicates(store, samples.problem_ids) if group_duplicates else None
    found = cross_validate(samples, objectives, folds=folds, seed=seed, beta=beta, plan=plan, groups=groups)
    settings = {**current(store), "folds": folds, "seed": seed, "beta": beta, "preset": preset}
    settings |= {"grid": grid_card(plan), "groups": len(set(groups.values())) if groups else None}
    curve = _learn(samples, found, settings, plan, groups) if learning else None
    _save(store, settings, samples, found, curve)
    probes = train_probes(samples, objectives, seed=seed, plan=plan, groups=groups)
    save_probes(store, store.folder / FOLDER, probes, out_of_fold_figures(samples, found), folds)
    return found


def _learn(
    samples: Samples, found: CrossValidation, settings: dict[str, Any], plan: Plan, groups: dict[str, int] | None
) -> Learning:
    """Train on more and more problems; sizes too small to hold a pass and a failure are left out."""
    objective = "pg" if "pg" in found.objectives else found.objectives[0]
    most = len(found.problem_ids) - int(found.fold_P.bincount().max())
    how = {"folds": settings["folds"], "seed": settings["seed"], "beta": settings["beta"]}
    curve: dict[int, NDArray[np.float64]] = {}
    for size in [*(size for size in LEARNING_SIZES if size < most), most]:
        with suppress(ProbeError):
            curve[size] = learning_curve(samples, objective, [size], **how, plan=plan, groups=groups)[0].numpy()
    return Learning(objective, tuple(curve), np.stack(list(curve.values())))


def near_duplicates(store: Store, problem_ids: Sequence[str]) -> dict[str, int]:
    """A number for each problem; near-duplicates share one."""
    prompts = {problem.id: problem.prompt for problem in store.problems()}
    return group_near_duplicates({problem_id: prompts[problem_id] for problem_id in problem_ids})


def grid_card(plan: Plan) -> dict[str, Any]:
    """What was chosen between, as JSON's own types."""
    return {**asdict(plan.grid), "views": [str(view) for view in plan.grid.views], "temperatures": plan.temperatures}


def current(store: Store) -> dict[str, Any]:
    """The grader and the view that the run's last grading and embedding made."""
    settings = store.settings()
    return {"grader": settings.get("grader"), "view": settings.get("view")}


def load_samples(store: Store) -> Samples:
    """Join a run's vectors and rewards by sample. Raises QprobeError where a stage is missing or unfinished."""
    now = current(store)
    if now["grader"] is None:
        raise QprobeError(f"{store.folder} has no verdicts: run qprobe grade {store.folder} first.")
    if now["view"] is None:
        raise QprobeError(f"{store.folder} has no vectors: run qprobe embed {store.folder} first.")
    ids = store.sample_ids()
    vectors = read_views(store, now["view"], ids)
    rewards: dict[tuple[str, int], float | None] = {
        sample: outcome.reward for sample, outcome in store.verdicts(now["grader"]).items()
    }
    if missing := len([sample for sample in ids if sample not in rewards]):
        raise QprobeError(f"{missing:,} samples have no verdict yet: run qprobe grade {store.folder} again.")
    return Samples.join(ids, vectors, rewards)


def _save(
    store: Store, settings: dict[str, Any], samples: Samples, found: CrossValidation, learning: Learning | None
) -> None:
    chosen = {name: [as_card(choice) for choice in choices] for name, choices in found.chosen.items()}
    card = {"settings": settings, "problem_ids": found.problem_ids, "objectives": found.objectives, "chosen": chosen}
    indices_PN = samples.indices_PN.numpy()
    arrays = {
        "indices_PN": indices_PN,
        **_feature_arrays(sample_features(store, found.problem_ids, indices_PN)),
        "scores_OPN": found.scores_OPN.numpy(),
        "control_CPN": found.control_CPN.numpy().astype(np.float64),
        "random_CPN": random_directions(samples, seed=settings["seed"]).numpy(),
        "fold_P": found.fold_P.numpy(),
    }
    if learning is not None:
        card["learning"] = {"objective": learning.objective, "problems": learning.problems}
        arrays["learning_SPN"] = learning.scores_SPN
    with whole_file(store.folder / SCORES_FILE) as draft:
        save_file(arrays, draft, metadata={"card": json.dumps(card)})


def _feature_arrays(features: SampleFeatures) -> dict[str, NDArray[Any]]:
    """The features by the name each has in the file; what is not known has none."""
    named: dict[str, NDArray[Any] | None] = {LENGTHS: features.lengths_PN, LOGPROBS: features.log_probabilities_PN}
    for name, groups_PN in features.groups.items():
        named[f"groups {name}"] = groups_PN
    return {name: array for name, array in named.items() if array is not None}


def _features_of(arrays: dict[str, NDArray[Any]]) -> SampleFeatures:
    """The features, taken out of a file's arrays."""
    groups = {name.removeprefix("groups "): arrays.pop(name) for name in list(arrays) if name.startswith("groups ")}
    return SampleFeatures(arrays.pop(LENGTHS, None), arrays.pop(LOGPROBS, None), groups)


def as_card(choice: Choice) -> dict[str, Any]:
    """What was chosen for one fold, as JSON's own types; a figure that is not there is null."""
    setting = {**asdict(choice.setting), "views": [str(view) for view in choice.setting.views]}
    figure = None if math.isnan(choice.figure) else choice.figure
    return {**setting, "temperature": choice.temperature, "epochs": choice.epochs, "inner_figure": figure}


def load_scores(store: Store) -> Scores:
    """The run's out-of-fold scores. Raises QprobeError where there are none, or newer verdicts or vectors."""
    path = store.folder / SCORES_FILE
    if not path.is_file():
        raise QprobeError(f"{store.folder} has no probes: run qprobe probe {store.folder} first.")
    with safe_open(path, "np") as file:
        card = json.loads(file.metadata()["card"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    if {name: card["settings"][name] for name in ("grader", "view")} != current(store):
        raise QprobeError(
            f"The probes of {store.folder} are older than its verdicts or vectors: run qprobe probe again."
        )
    if "random_CPN" not in arrays:
        raise QprobeError(f"The probes of {store.folder} are an earlier version's: run qprobe probe again.")
    learnt_SPN, about = arrays.pop("learning_SPN", None), card.get("learning", {})
    learning = Learning(about["objective"], tuple(about["problems"]), learnt_SPN) if about else None
    names = tuple(card["problem_ids"]), tuple(card["objectives"])
    features = _features_of(arrays)
    return Scores(card["settings"], *names, **arrays, chosen=card["chosen"], features=features, learning=learning)


def sample_rewards(store: Store, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The run's rewards and which of them there are, [P, N] each, in the places of the scores."""
    verdicts = store.verdicts(scores.settings["grader"])
    rewards_PN = np.full(scores.indices_PN.shape, np.nan)
    for p, problem_id in enumerate(scores.problem_ids):
        for n, index in enumerate(scores.indices_PN[p].tolist()):
            outcome = verdicts.get(SampleId(problem_id, index))
            if outcome is not None and outcome.reward is not None:
                rewards_PN[p, n] = outcome.reward
    mask_PN = ~np.isnan(rewards_PN)
    return np.where(mask_PN, rewards_PN, 0.0), mask_PN
