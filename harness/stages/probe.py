"""The stage probe: cross-validate every objective on the run's vectors and verdicts, and save scores and probes."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.duplicates import Grouping, group_problems
from harness.probes import (
    DEFAULT_OBJECTIVES,
    CrossValidation,
    GridOverrides,
    Samples,
    TrainingPlan,
    cross_validations,
    train_probes,
)
from harness.probes.added_features import check_features, with_features
from harness.probes.contrast import contrast_scores
from harness.probes.controls import DRAWS, DRAWS_WITHIN, draws_each
from harness.probes.crossvalidation import (
    MANY_PROBLEMS,
    default_foldings,
    joined_controls,
    random_control,
    usable_seeds,
)
from harness.probes.folds import assign_folds, default_folds
from harness.probes.learning_curve import learning_curves
from harness.probes.plans import plan_at, score_beta
from harness.probes.samples import ProbeError
from harness.probes.training import TRAINING
from harness.progress import SILENT, Progress, one_task
from harness.runs.features import feature_values, sample_features
from harness.runs.probe_files import FOLDER, out_of_fold_figures, save_probes
from harness.runs.samples import load_samples
from harness.runs.scores import Learning, Scores, current, save_scores
from harness.runs.store import Store
from harness.stages.options import ProbeOptions
from harness.stages.probe_reuse import as_card, fingerprint, kept_result
from harness.stats import RANDOM, SampleFeatures, selected_values
from harness.stats.baselines import CONTRAST

LEARNING_SIZES = (10, 20, 50, 100, 200, 500, 1000)
LEARNING_REPEATS = 3
"""Cross-validations of the learning curves: each size of each is trained by itself, which takes long."""


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
    repeats: int | None = None,
    choices: GridOverrides | None = None,
    group_duplicates: bool = True,
    features: Sequence[str] = (),
    controls: int = DRAWS,
    progress: Progress = SILENT,
) -> Probed:
    """Cross-validate by problem, and save one probe per objective, trained on all problems.

    Nothing is trained where the run holds the scores and probes of just these inputs.

    `learning` adds the learning curve of every objective. `repeats` is the number of cross-validations, each with other
    folds, whose mean the report shows, by default ten, or fewer with more than 2,000 problems; draws of folds that
    leave one without a pass or a failure to learn from are left out. `choices` replaces candidates of the preset, and
    `beta` its rules of selection: by softmax at that temperature, at 0 by the arg max. With `group_duplicates`,
    problems with nearly the same description or reference share a fold; `features` are read beside the vectors;
    `controls` is the least number of draws on rewards shuffled among all samples. There are five folds by default, or
    one per problem where there are fewer problems. Raises QprobeError where verdicts or vectors are missing.
    """
    plan = plan_at((choices or GridOverrides()).plan(preset), beta)
    check_features(features)
    plain = load_samples(store)
    samples = add_features(store, plain, features) if features else plain
    problems = len(samples.problem_ids)
    folds = default_folds(problems) if folds is None else folds
    repeats = default_foldings(problems) if repeats is None else repeats
    grouping = near_duplicates(store, samples.problem_ids, folds) if group_duplicates else Grouping({})
    groups = grouping.groups or None
    settings = {**current(store), "folds": folds, **training_card(seed, score_beta(beta), beta, preset, plan, features)}
    settings |= {**_grouping_card(grouping), "repeats": repeats}
    inputs = fingerprint(store, samples, objectives, {**settings, "groups": groups, "learning": learning})
    if kept := kept_result(store, samples, inputs, objectives):
        return Probed(kept, reused=True)
    if grouping.warning:
        progress.message(grouping.warning)
    training: dict[str, Any] = {"folds": folds, "beta": beta, "plan": plan, "groups": groups}
    draws = _draws_of_controls(len(objectives), controls, problems)
    with one_task(progress, TRAINING) as joined:
        seeds = usable_seeds(samples, folds, range(seed, seed + repeats), groups)
        results = cross_validations(samples, objectives, seeds=seeds, **training, **draws, progress=joined)
        scores = _scores(store, settings, plain, results, seeds, groups)
        scores.controls[RANDOM] = random_control(
            plain, [result.fold_P for result in results], seeds, beta=beta, plan=plan, groups=groups
        )
        if learning:
            scores = replace(scores, learning=_learn(samples, results[0], seeds, training, joined))
        save_scores(store, replace(scores, inputs=inputs))
        probes = train_probes(samples, objectives, seed=seed, plan=plan, groups=groups, progress=joined)
    probes = {name: trained.reading(features) for name, trained in probes.items()}
    save_probes(store, store.folder / FOLDER, probes, out_of_fold_figures(samples, scores), folds)
    return Probed(results[0], reused=False)


def _grouping_card(grouping: Grouping) -> dict[str, Any]:
    """Return how many groups of near-duplicates share folds, and why not all do, as JSON types."""
    groups = len(set(grouping.groups.values())) if grouping.groups else None
    return {"groups": groups} | ({"groups_shortfall": grouping.shortfall} if grouping.shortfall else {})


def _draws_of_controls(objectives: int, least: int, problems: int) -> dict[str, Any]:
    """Return the draws of each control per objective; `least` is the number among all samples, in total."""
    among_all = draws_each(objectives, least) if least else 0
    within = DRAWS_WITHIN if problems <= MANY_PROBLEMS else 1  # of each objective then
    return {"controls": among_all, "controls_within": draws_each(objectives, within)}


def probe_by(
    store: Store,
    options: ProbeOptions,
    objectives: Sequence[str],
    *,
    controls: int = DRAWS,
    progress: Progress = SILENT,
) -> Probed:
    """Run `probe` by the options of a command."""
    return probe(
        store,
        objectives,
        folds=options.folds,
        seed=options.seed,
        beta=options.beta,
        preset=options.preset,
        learning=options.learning_curve,
        repeats=options.repeats,
        choices=options.overrides,
        group_duplicates=options.group_duplicates,
        features=options.features,
        controls=controls,
        progress=progress,
    )


def add_features(store: Store, samples: Samples, names: Sequence[str]) -> Samples:
    """Return the samples with these features behind their vectors. Raises ProbeError where one is not known."""
    return with_features(samples, names, feature_values(store, samples.problem_ids, samples.indices_PN.numpy()))


def _learn(
    samples: Samples, result: CrossValidation, seeds: Sequence[int], training: dict[str, Any], progress: Progress
) -> Learning:
    """The learning curves, without the sizes whose training problems lack a pass or a failure."""
    objectives, seeds = result.objectives, seeds[:LEARNING_REPEATS]
    folds_SP = [assign_folds(samples.problem_ids, training["folds"], seed, training["groups"]) for seed in seeds]
    most = min(len(result.problem_ids) - int(fold_P.bincount().max()) for fold_P in folds_SP)
    curve: dict[int, NDArray[np.float64]] = {}
    for size in [*(size for size in LEARNING_SIZES if size < most), most]:
        with suppress(ProbeError):
            curves_O1SP = learning_curves(samples, objectives, [size], seeds=seeds, **training, progress=progress)
            curve[size] = curves_O1SP[:, 0]
    return Learning(objectives, tuple(curve), np.stack(list(curve.values()), axis=1), torch.stack(folds_SP).numpy())


def selection_values(samples: Samples, results: Sequence[CrossValidation]) -> NDArray[np.float64]:
    """The expected reward of each problem by the rule its fold selected, [cross-validations, objectives, P]."""
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    values = [
        selected_values(result.scores_OPN.numpy(), rewards_PN, mask_PN, result.beta, result.limits_OP)
        for result in results
    ]
    return np.array(values)


def near_duplicates(store: Store, problem_ids: Sequence[str], folds: int) -> Grouping:
    """Return the groups of near-duplicates; no groups where no two problems would share a fold."""
    problems = {problem.id: problem for problem in store.problems()}
    grouping = group_problems([problems[problem_id] for problem_id in problem_ids], folds)
    groups = grouping.groups
    return grouping if len(set(groups.values())) < len(groups) else replace(grouping, groups={})


def training_card(
    seed: int, beta: float, fixed_beta: float | None, preset: str, plan: TrainingPlan, features: Sequence[str]
) -> dict[str, Any]:
    """Return the settings of a training as JSON types."""
    own = {"seed": seed, "beta": beta, "fixed_beta": fixed_beta, "preset": preset, "grid": grid_card(plan)}
    return {**own, "features": list(features)} if features else own


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
    results: Sequence[CrossValidation],
    seeds: Sequence[int],
    groups: dict[str, int] | None,
) -> Scores:
    """The part of the cross-validations that the run saves, without the random directions."""
    first = results[0]
    none_P = np.zeros(len(first.problem_ids))
    among_SOP = [
        [none_P if (own_P := result.ruled(name).among) is None else own_P for name in result.objectives]
        for result in results
    ]
    return Scores(
        settings,
        tuple(first.problem_ids),
        tuple(first.objectives),
        samples.indices_PN.numpy(),
        tuple(seeds),
        np.stack([result.scores_OPN.numpy().astype(np.float32) for result in results]),
        np.stack([result.limits_OP for result in results]),
        np.array(among_SOP, dtype=np.int64),
        np.stack([result.fold_P.numpy() for result in results]),
        np.array([place if groups is None else groups[name] for place, name in enumerate(first.problem_ids)]),
        joined_controls(results),
        {name: [as_card(selected) for selected in folds] for name, folds in first.chosen.items()},
        _features(store, samples, first),
    )


def _features(store: Store, samples: Samples, result: CrossValidation) -> SampleFeatures:
    """The features of the samples, and the scores of the contrast direction of the other folds."""
    features = sample_features(store, result.problem_ids, samples.indices_PN.numpy())
    contrast_PN = contrast_scores(samples, result.fold_P).numpy()
    return replace(features, scores={**features.scores, CONTRAST: contrast_PN})
