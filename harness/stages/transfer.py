"""The stage transfer: train probes on one set of problems, and report their value on others.

This is the protocol of the Q-Probe paper: train on a split of MBPP, test on another, and on HumanEval without further
training. As in cross-validation, no problem may be on both sides, which is checked here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.duplicates import group_problems
from harness.errors import QprobeError
from harness.probes import (
    DEFAULT_OBJECTIVES,
    GridOverrides,
    Samples,
    TrainingPlan,
    Transfer,
    train_and_test,
)
from harness.probes.added_features import check_features, with_features
from harness.probes.contrast import contrast_on
from harness.probes.plans import plan_at
from harness.probes.transfer import random_transfer
from harness.progress import SILENT, Progress
from harness.reports.generated_answers import generated_answers
from harness.reports.inputs import baselines_of, leading, own_greedy_rewards, selectors_of
from harness.reports.sections import at_few_ks, default_ks
from harness.reports.seed_table import SeedTable, seed_table
from harness.reports.transfer import Tested, TransferReport
from harness.reports.visible_answers import visible_answers
from harness.runs.features import sample_features, vector_kernels
from harness.runs.probe_files import row_figures, save_probes
from harness.runs.problem_sets import ProblemSet, refuse_other_vectors
from harness.runs.scores import current
from harness.runs.store import Store
from harness.stages.probe import training_card
from harness.stages.probe_reuse import as_card
from harness.stages.trained_on import refuse_trained
from harness.stages.transfer_curves import gains_by, only
from harness.stats import CONTROL, RANDOM, Control, RuledScores, Summary, rule_rows, summarise
from harness.stats.baselines import CONTRAST
from harness.stats.selectors import ByScores

FOLDER = "transfer"


def transfer(
    train: ProblemSet,
    tests: Sequence[ProblemSet],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    *,
    seed: int = 0,
    beta: float | None = None,
    preset: str = "nested",
    choices: GridOverrides | None = None,
    leave_out_duplicates: bool = False,
    k: int | None = None,
    seeds: int = 1,
    greedy: bool = False,
    learning_curve: bool = False,
    by_layer: bool = False,
    features: Sequence[str] = (),
    progress: Progress = SILENT,
) -> TransferReport:
    """Train every objective on `train`, score every set of `tests`, and save the probes in the training run.

    With `leave_out_duplicates`, training problems with nearly the description or reference of a test problem are left
    out, and near-duplicates among the others share an inner fold. With several `seeds`, or a `k`, a table has the mean
    over trainings with these seeds of selection among k samples; `learning_curve` trains on fewer problems too,
    `by_layer` on each layer alone; `features` are read beside the vectors. Raises QprobeError where a set shares
    problems with the training set, has another model's vectors, or, with `greedy`, no greedy completions.
    """
    check_features(features)
    rewards = _checked(train, tests, k, greedy=greedy)
    plan = plan_at((choices or GridOverrides()).plan(preset), beta)
    groups, twins = _near_duplicates(train, tests, plan, progress)
    used, kept_groups = (train.without(twins), groups) if leave_out_duplicates else (train, None)
    used_samples, test_samples = _same_views(used, tests)
    read, tested_on = _as_read(used, used_samples, tests, test_samples, features)
    train_on = partial(
        train_and_test, objectives=objectives, beta=beta, plan=plan, groups=kept_groups, progress=progress
    )
    result = train_on(read, tested_on, seed=seed)
    directions = partial(random_transfer, used_samples, seed=seed, beta=beta, plan=plan)
    tested = [
        _tested(test, used_samples, own, result, directions(own), rewards[test.name])
        for test, own in zip(tests, test_samples.values(), strict=True)
    ]
    train_again = partial(train_on, controls=0)  # the controls of the first training are those reported
    curves = partial(gains_by, read, tested_on, partial(train_again, seed=seed), seed, k)
    more: dict[str, Mapping[str, Any]] = {**curves(learning=learning_curve, by_layer=by_layer)}
    if seeds > 1 or k is not None:
        results = [result, *(train_again(read, tested_on, seed=seed + turn) for turn in range(1, seeds))]
        tables = {name: _by_seed(own, name, results, k, seed, rewards[name]) for name, own in test_samples.items()}
        more["by_seed"] = tables
    _save(used, result, tested, features)
    return TransferReport(
        train=train.name,
        benchmark=train.benchmark,
        problems=len(used_samples.problem_ids),
        near_duplicates=tuple(twins),
        left_out=leave_out_duplicates,
        settings=training_card(seed, result.beta, beta, preset, plan, features),
        hyperparameters={name: as_card(selected) for name, selected in result.chosen.items()},
        tests=tuple(replace(one, **{name: tables[one.name] for name, tables in more.items()}) for one in tested),
    )


def _checked(
    train: ProblemSet, tests: Sequence[ProblemSet], k: int | None, *, greedy: bool
) -> dict[str, dict[str, float]]:
    """Return the rewards of the greedy completions of each test set. Raises QprobeError for sets that do not fit."""
    for test in tests:
        most = int(test.samples.mask_PN.sum(1).max())
        if k is not None and k > most:
            raise QprobeError(f"Cannot select among {k} samples of {test.name}, which has at most {most} per problem.")
        refuse_other_vectors(train, test)
        refuse_trained(test)
    return {test.name: _greedy_rewards(test, required=greedy) for test in tests}


def _near_duplicates(
    train: ProblemSet, tests: Sequence[ProblemSet], plan: TrainingPlan, progress: Progress
) -> tuple[dict[str, int], list[str]]:
    """Return a number for each problem of all sets, which near-duplicates share, and the training problems to doubt."""
    problems = [problem for part in (train, *tests) for problem in part.problems.values()]
    grouping = group_problems(problems, max(plan.inner_folds, 2))
    if grouping.shortfall:
        progress.message(f"Training problems that are merely similar to test problems are kept: {grouping.shortfall}.")
    groups = grouping.groups
    tested = {groups[problem] for test in tests for problem in test.samples.problem_ids}
    return groups, [problem for problem in train.samples.problem_ids if groups[problem] in tested]


def _same_views(train: ProblemSet, tests: Sequence[ProblemSet]) -> tuple[Samples, dict[str, Samples]]:
    """Return the sets with their common layers and poolings. Raises QprobeError where they have none in common."""
    views = [view for view in train.samples.views if all(view in test.samples.vectors for test in tests)]
    if not views:
        views_of = "; ".join(f"{part.name}: {', '.join(map(str, part.samples.views))}" for part in (train, *tests))
        raise QprobeError(f"The sets share no layer and pooling ({views_of}): embed them with the same --layers.")
    return only(train.samples, views), {test.name: only(test.samples, views) for test in tests}


def _as_read(
    train: ProblemSet,
    train_samples: Samples,
    tests: Sequence[ProblemSet],
    test_samples: Mapping[str, Samples],
    features: Sequence[str],
) -> tuple[Samples, dict[str, Samples]]:
    """Return the samples as probes read them, with the features; controls and baselines read the vectors alone."""
    if not features:
        return train_samples, dict(test_samples)
    tested_on = {test.name: with_features(test_samples[test.name], features, test.values) for test in tests}
    return with_features(train_samples, features, train.values), tested_on


def _greedy_rewards(test: ProblemSet, *, required: bool) -> dict[str, float]:
    """The rewards of a test run's greedy completions, by problem. Raises QprobeError where they are required."""
    with Store(test.folder, read_only=True) as store:
        rewards = own_greedy_rewards(store.verdicts(current(store)["grader"], greedy=True))
    own = {name: rewards[name] for name in test.samples.problem_ids if name in rewards}
    if required and not own:
        raise QprobeError(
            f"{test.name} has no graded greedy completions: draw them with qprobe generate --greedy, and grade again."
        )
    return own


def _by_seed(
    samples: Samples, name: str, results: Sequence[Transfer], k: int | None, seed: int, greedy: Mapping[str, float]
) -> SeedTable:
    """The table of the probes of several seeds on one test set."""
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    objectives = results[0].objectives
    probes = {
        objective: [
            ByScores(one.scores_OPN[name][place].numpy(), one.beta, int(one.limits_O[place])) for one in results
        ]
        for place, objective in enumerate(objectives)
    }
    counts_P = mask_PN.sum(1)
    return seed_table(
        rewards_PN,
        mask_PN,
        probes,
        leading(objectives),
        int(counts_P[counts_P > 0].min()) if k is None else k,
        range(seed, seed + len(results)),
        _in_order(greedy, samples),
    )


def _in_order(greedy: Mapping[str, float], samples: Samples) -> NDArray[np.float64] | None:
    """The rewards of the greedy completions [P], NaN where one is missing; None without any."""
    return np.array([greedy.get(name, np.nan) for name in samples.problem_ids]) if greedy else None


def _tested(
    test: ProblemSet,
    train: Samples,
    samples: Samples,
    result: Transfer,
    random: Control,
    greedy: Mapping[str, float],
) -> Tested:
    rewards_PN, mask_PN = samples.rewards_PN.double().numpy(), samples.mask_PN.numpy()
    indices_PN = samples.indices_PN.numpy()
    with Store(test.folder, read_only=True) as store:
        features = sample_features(store, samples.problem_ids, indices_PN)
        answers = visible_answers(store, current(store)["grader"], samples.problem_ids, indices_PN)
        generated = generated_answers(store, current(store)["grader"], samples.problem_ids, indices_PN)
        kernels = vector_kernels(store, samples.problem_ids, indices_PN)
    features = replace(features, scores={**features.scores, CONTRAST: contrast_on(train, samples).numpy()})

    baselines = baselines_of(features, mask_PN, answers, generated)
    selectors = selectors_of(features, answers, generated, baselines, kernels)
    limits = dict(zip(result.objectives, result.limits_O, strict=True))

    def summary(k: int | None) -> Summary:
        return summarise(
            rewards_PN,
            mask_PN,
            dict(zip(result.objectives, result.scores_OPN[test.name].numpy(), strict=True)),
            beta=result.beta,
            k=k,
            limits={name: np.full(len(mask_PN), limit) for name, limit in limits.items()},
            controls={
                RANDOM: random,
                CONTROL: Control(
                    result.control_CPN[test.name].numpy(),
                    np.repeat(result.control_limits_C[:, None], len(mask_PN), axis=1),
                ),
            },
            baselines=baselines,
            selectors=selectors,
            others={} if (greedy_P := _in_order(greedy, samples)) is None else {"greedy": greedy_P},
            lengths_PN=features.lengths_PN,
        )

    most = int(mask_PN.sum(1).max())
    counts = len(samples.problem_ids), int(mask_PN.sum()), samples.without_signal()
    rules = rule_rows(rewards_PN, mask_PN, {name: _ruled(result, test.name, name) for name in result.objectives})
    at_ks = at_few_ks(summary, default_ks(most), most)
    return Tested(test.name, test.benchmark, *counts, summary(None).rows, at_ks, rules)


def _ruled(result: Transfer, test: str, objective: str) -> RuledScores:
    """One objective's scores of a test set with the parameters of its rules."""
    selected = result.chosen[objective]
    scores_PN = result.scores_OPN[test][result.objectives.index(objective)].numpy()
    among_P = None if selected.k is None else np.full(len(scores_PN), selected.k)
    return RuledScores(scores_PN, result.beta if selected.temperature else 0.0, among_P)


def _save(train: ProblemSet, result: Transfer, tested: Sequence[Tested], features: Sequence[str]) -> None:
    """Save the probes beside those of the training run, with their figures on the test sets."""
    figures: dict[str, dict[str, float]] = {name: {} for name in result.objectives}
    for test in tested:
        rows = {row.name: row for row in test.rows}
        for name, own in figures.items():
            on_test = row_figures(rows[name], rows["pass@1"])
            own.update({f"{test.name} {figure}": value for figure, value in on_test.items()})
    with Store(train.folder) as store:
        probes = {name: probe.reading(features) for name, probe in result.probes.items()}
        save_probes(store, train.folder / FOLDER, probes, figures)
