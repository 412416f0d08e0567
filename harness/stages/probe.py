"""The stage probe: cross-validate every objective on the run's vectors and verdicts, and save scores and probes."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.probes import (
    DEFAULT_OBJECTIVES,
    CrossValidation,
    GridOverrides,
    Samples,
    TrainingPlan,
    cross_validate,
    cross_validations,
    group_near_duplicates,
    train_probes,
)
from harness.probes.added_features import LENGTH, LOGPROB, check_features, with_features
from harness.probes.contrast import contrast_scores
from harness.probes.controls import random_directions
from harness.probes.folds import default_folds
from harness.probes.learning_curve import learning_curve
from harness.probes.plans import plan_at, score_beta
from harness.probes.samples import ProbeError
from harness.probes.training import TRAINING
from harness.progress import SILENT, Progress, one_task
from harness.runs.features import sample_features
from harness.runs.probe_files import FOLDER, out_of_fold_figures, save_probes
from harness.runs.samples import load_samples
from harness.runs.scores import Learning, Repeats, Scores, current, save_scores
from harness.runs.store import Store
from harness.stages.probe_reuse import as_card, fingerprint, kept_result
from harness.stats import SampleFeatures, selection_by_limits
from harness.stats.baselines import CONTRAST

LEARNING_SIZES = (10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Probed:
    """The outcome of the stage."""

    result: CrossValidation
    reused: bool  # nothing was trained


def probe(
    store: Store,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    folds: int | None = None,
    seed: int = 0,
    beta: float | None = None,
    preset: str = "nested",
    learning: bool = False,
    repeats: int = 1,
    choices: GridOverrides | None = None,
    group_duplicates: bool = False,
    features: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Probed:
    """Cross-validate by problem, and save one probe per objective, trained on all problems.

    Nothing is trained where the run holds the scores and probes of just these inputs.

    `learning` adds the learning curve of `pg`, or of the first objective where `pg` is absent. `repeats` is the number
    of cross-validations, each with other folds, from which the report takes the variance over folds. `choices` replaces
    candidates of the preset, and `beta` its rules of selection: by softmax at that temperature, at 0 by the arg max.
    With `group_duplicates`, problems with nearly the same prompt share a fold; `features` are read beside the vectors.
    By default there are five folds, or one per problem where there are fewer problems. Raises QprobeError where
    verdicts or vectors are missing.
    """
    plan = plan_at((choices or GridOverrides()).plan(preset), beta)
    check_features(features)
    plain = load_samples(store)
    samples = add_features(store, plain, features) if features else plain
    groups = near_duplicates(store, samples.problem_ids) if group_duplicates else None
    if folds is None:
        folds = default_folds(len(set(groups.values()) if groups else samples.problem_ids))
    settings = {**current(store), "folds": folds, "seed": seed, "beta": score_beta(beta), "fixed_beta": beta}
    settings |= {"preset": preset, **({"features": list(features)} if features else {})}
    settings |= {"grid": grid_card(plan), "groups": len(set(groups.values())) if groups else None}
    inputs = fingerprint(
        store, samples, objectives, {**settings, "groups": groups, "learning": learning, "repeats": repeats}
    )
    if kept := kept_result(store, samples, inputs, objectives):
        return Probed(kept, reused=True)
    with one_task(progress, TRAINING) as joined:
        result = cross_validate(
            samples, objectives, folds=folds, seed=seed, beta=beta, plan=plan, groups=groups, progress=joined
        )
        curve = _learn(samples, result, settings, plan, groups, joined) if learning else None
        seeds = range(seed + 1, seed + repeats)
        repeated = _repeat(samples, result, settings, seeds, plan, groups, joined) if seeds else None
        scores = _scores(store, settings, plain, result, curve, repeated)
        save_scores(store, replace(scores, inputs=inputs))
        probes = train_probes(samples, objectives, seed=seed, plan=plan, groups=groups, progress=joined)
    probes = {name: trained.reading(features) for name, trained in probes.items()}
    save_probes(store, store.folder / FOLDER, probes, out_of_fold_figures(samples, result), folds)
    return Probed(result, reused=False)


def add_features(store: Store, samples: Samples, names: Sequence[str]) -> Samples:
    """Return the samples with these features behind their vectors. Raises ProbeError where one is not known."""
    features = sample_features(store, samples.problem_ids, samples.indices_PN.numpy())
    known = {LENGTH: features.lengths_PN, LOGPROB: features.log_probabilities_PN}
    return with_features(samples, names, {name: values for name, values in known.items() if values is not None})


def _learn(
    samples: Samples,
    result: CrossValidation,
    settings: dict[str, Any],
    plan: TrainingPlan,
    groups: dict[str, int] | None,
    progress: Progress,
) -> Learning:
    """The learning curve, without the sizes whose training problems lack a pass or a failure."""
    objective = "pg" if "pg" in result.objectives else result.objectives[0]
    most = len(result.problem_ids) - int(result.fold_P.bincount().max())
    options = {
        "folds": settings["folds"],
        "seed": settings["seed"],
        "beta": settings["fixed_beta"],
        "progress": progress,
    }
    curve: dict[int, NDArray[np.float64]] = {}
    for size in [*(size for size in LEARNING_SIZES if size < most), most]:
        with suppress(ProbeError):
            curve[size] = learning_curve(samples, objective, [size], **options, plan=plan, groups=groups)[0].numpy()
    return Learning(objective, tuple(curve), np.stack(list(curve.values())))


def _repeat(
    samples: Samples,
    result: CrossValidation,
    settings: dict[str, Any],
    seeds: Sequence[int],
    plan: TrainingPlan,
    groups: dict[str, int] | None,
    progress: Progress,
) -> Repeats:
    """The values of this cross-validation, and of one more for each of the seeds."""
    options = {"folds": settings["folds"], "beta": settings["fixed_beta"], "progress": progress}
    others = cross_validations(samples, result.objectives, seeds=seeds, plan=plan, groups=groups, **options)
    return Repeats((settings["seed"], *seeds), selection_values(samples, [result, *others]))


def selection_values(samples: Samples, results: Sequence[CrossValidation]) -> NDArray[np.float64]:
    """The expected reward of each problem by the rule its fold selected, [cross-validations, objectives, P]."""
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    values = [
        [
            selection_by_limits(scores_PN, rewards_PN, mask_PN, result.beta, limits_P)
            for scores_PN, limits_P in zip(result.scores_OPN.numpy(), result.limits_OP, strict=True)
        ]
        for result in results
    ]
    return np.array(values)


def near_duplicates(store: Store, problem_ids: Sequence[str]) -> dict[str, int]:
    """Return a number for each problem; near-duplicates share one. Read from the run's prompts."""
    prompts = {problem.id: problem.prompt for problem in store.problems()}
    return group_near_duplicates({problem_id: prompts[problem_id] for problem_id in problem_ids})


def grid_card(plan: TrainingPlan) -> dict[str, Any]:
    """Return the candidates of a plan as JSON types."""
    views = [str(view) for view in plan.grid.views]
    rules = [str(rule) for rule in plan.rules]
    return {
        **asdict(plan.grid),
        "views": views,
        "rules": rules,
        "caution": plan.caution,
        "evidence": plan.evidence,
        "leeway": plan.leeway,
    }


def _scores(
    store: Store,
    settings: dict[str, Any],
    samples: Samples,
    result: CrossValidation,
    learning: Learning | None,
    repeats: Repeats | None,
) -> Scores:
    """The part of a cross-validation that the run saves."""
    indices_PN = samples.indices_PN.numpy()
    return Scores(
        settings,
        tuple(result.problem_ids),
        tuple(result.objectives),
        indices_PN,
        result.scores_OPN.numpy(),
        result.limits_OP,
        result.control_CPN.numpy().astype(np.float64),
        result.control_limits_CP,
        random_directions(samples, seed=settings["seed"]).numpy(),
        result.fold_P.numpy(),
        {name: [as_card(selected) for selected in folds] for name, folds in result.chosen.items()},
        _features(store, samples, result),
        learning,
        repeats,
    )


def _features(store: Store, samples: Samples, result: CrossValidation) -> SampleFeatures:
    """The features of the samples, and the scores of the contrast direction of the other folds."""
    features = sample_features(store, result.problem_ids, samples.indices_PN.numpy())
    contrast_PN = contrast_scores(samples, result.fold_P).numpy()
    return replace(features, scores={**features.scores, CONTRAST: contrast_PN})
