"""Nested selection: everything about a probe is selected within its own training problems.

The training problems of each task are split into inner folds; all hyperparameters are trained without one of them and
validated on it after each epoch. Those that `model_selection` selects are trained again on all the training problems.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import compress, islice

import numpy as np
import torch
from torch import Tensor

from harness.errors import OneSidedError
from harness.probes.batch import ProbeSpec
from harness.probes.closed_form import solve
from harness.probes.hyperparameters import Hyperparameters
from harness.probes.model_selection import Selected, select
from harness.probes.moments import Moments
from harness.probes.plans import SAMPLE_WISE, TrainingPlan
from harness.probes.probe import Card
from harness.probes.samples import ProbeError, Samples, View
from harness.probes.stacking import fit_stacked, is_stacked
from harness.probes.tasks import Fitted as Fitted
from harness.probes.tasks import Groups, inner_folds, units, with_few_problems
from harness.probes.tasks import Task as Task
from harness.probes.training import Trained, measure, train
from harness.probes.validation import Curve, selection_figures
from harness.progress import Advance, ignore

Train = Callable[[Sequence[ProbeSpec]], list[Trained]]


def fit(
    samples: Samples, tasks: Sequence[Task], plan: TrainingPlan, groups: Groups = None, *, advance: Advance = ignore
) -> list[Fitted]:
    """Select and train the probe of every task, all hyperparameters of all tasks together, in the order of `tasks`.

    `advance` is told of each round of training as it begins. Raises ProbeError where the training problems of a task
    lack a pass or a failure, or are too few for inner folds.
    """
    for task in tasks:
        refuse_one_sided(samples, task.train_P)
    stacked = [is_stacked(task.objective, plan) for task in tasks]
    in_closed_form = iter(fit_stacked(samples, list(compress(tasks, stacked)), plan, groups, advance))
    others = [task for task, is_closed in zip(tasks, stacked, strict=True) if not is_closed]
    by_gradients = iter(_fit_by_gradients(samples, others, plan, groups, advance))
    return [next(in_closed_form if is_closed else by_gradients) for is_closed in stacked]


def _fit_by_gradients(
    samples: Samples, tasks: Sequence[Task], plan: TrainingPlan, groups: Groups, advance: Advance
) -> list[Fitted]:
    """Select and train the probes of objectives that need it, several epochs by gradients."""
    if not tasks:
        return []
    if not plan.apart:
        return _fit_together(samples, tasks, plan, groups, advance)
    fitted: dict[int, Fitted] = {}
    for positions in _alike(tasks):
        own_problems = tasks[positions[0]].train_P.nonzero().flatten()
        all_own = torch.ones(len(own_problems), dtype=torch.bool)
        own_tasks = [replace(tasks[position], train_P=all_own) for position in positions]
        own_plan = _reseeded(plan, own_tasks[0].seed)
        results = _fit_together(samples.take(own_problems), own_tasks, own_plan, groups, advance)
        for position, result in zip(positions, results, strict=True):
            fitted[position] = replace(result, task=tasks[position])
    return [fitted[position] for position in range(len(tasks))]


def refuse_one_sided(samples: Samples, train_P: Tensor) -> None:
    """Raise OneSidedError where the training problems have no graded sample, no pass or no failure."""
    train_P = train_P.to(samples.mask_PN.device)
    graded = samples.rewards_PN[train_P][samples.mask_PN[train_P]]
    if len(graded) and bool((graded != graded[0]).any()):
        return
    lack = "graded sample" if len(graded) == 0 else "failing sample" if graded[0] > 0 else "passing sample"
    raise OneSidedError(
        f"The {int(train_P.sum())} training problems have no {lack}: there is nothing to learn from. Generate more "
        "samples, or use another model or other problems, so that some samples pass and some fail."
    )


def _fit_together(
    samples: Samples, tasks: Sequence[Task], plan: TrainingPlan, groups: Groups, advance: Advance
) -> list[Fitted]:
    moments = measure(samples) if plan.schedule.standardise else None

    def train_all(specs: Sequence[ProbeSpec]) -> list[Trained]:
        return _train_by_kind(samples, specs, plan, moments, advance)

    if plan.inner_folds:
        plan = with_few_problems(plan, min(units(samples, task, groups) for task in tasks))
        selected = _select_nested(samples, tasks, plan, groups, train_all)
    else:
        selected = [_only_candidate(samples, task, plan) for task in tasks]
    specs = [
        ProbeSpec(task.objective, one.hyperparameters, task.train_P, None, one.epochs, task.seed, task.permutation)
        for task, one in zip(tasks, selected, strict=True)
    ]
    return [
        Fitted(task, one, replace(trained.probe, card=_with_rule(trained.probe.card, one)))
        for task, one, trained in zip(tasks, selected, train_all(specs), strict=True)
    ]


def _with_rule(card: Card, selected: Selected) -> Card:
    """The card with the rules that were selected."""
    return replace(card, rule=selected.rule.kind, beta=selected.temperature, k=selected.k)


def _only_candidate(samples: Samples, task: Task, plan: TrainingPlan) -> Selected:
    """The only hyperparameters of a plan without inner folds. Raises ProbeError where there are several."""
    candidates = replace(plan.grid, solved=()).candidates(samples, task.objective)
    if len(candidates) > 1 or len(plan.rules) > 1:
        views = ", ".join(dict.fromkeys(str(view) for candidate in candidates for view in candidate.views))
        raise ProbeError(
            f"A plan without inner folds cannot select from {len(candidates)} candidates (layers: {views}): embed with "
            "one layer and one pooling, or use the preset nested."
        )
    (rule,), unknown = plan.rules, float("nan")
    return Selected(candidates[0], plan.schedule.epochs, rule, rule.temperature, rule.k, unknown, unknown)


def _select_nested(
    samples: Samples, tasks: Sequence[Task], plan: TrainingPlan, groups: Groups, train_all: Train
) -> list[Selected]:
    """Train all candidates of every task on all its inner folds, and select the best for each task."""
    candidates = {task.objective: plan.grid.candidates(samples, task.objective) for task in tasks}
    trials = [
        ProbeSpec(task.objective, candidate, task.train_P & ~held_out_P, held_out_P, None, task.seed, task.permutation)
        for task in tasks
        for candidate in candidates[task.objective]
        for held_out_P in inner_folds(samples, task, plan, groups)
    ]
    curves = (_extended(trained.curve_EBS, plan) for trained in train_all(trials))
    selected = []
    for task in tasks:
        tried = candidates[task.objective]
        curves_TEBS = np.stack(list(islice(curves, len(tried) * plan.inner_used)))
        selected.append(select(tried, plan, curves_TEBS, units(samples, task, groups)))
    return selected


def select_rules(
    samples: Samples, scores_MPN: Tensor, task: Task, plan: TrainingPlan, groups: Groups = None
) -> list[Selected]:
    """Select the rule of scores that need no training, M times, on the inner folds on which it is selected for probes.

    The task's objective and its permutation play no part.
    """
    candidate = Hyperparameters((), form="")
    if not plan.inner_folds:
        (rule,), unknown = plan.rules, float("nan")
        return [Selected(candidate, 0, rule, rule.temperature, rule.k, unknown, unknown)] * len(scores_MPN)
    problems = units(samples, task, groups)
    plan = with_few_problems(plan, problems)
    figures = []
    for held_out_P in inner_folds(samples, task, plan, groups):
        rewards_QN, mask_QN = samples.rewards_PN[held_out_P], samples.mask_PN[held_out_P]
        figures.append(selection_figures(scores_MPN[:, held_out_P], rewards_QN.to(scores_MPN), mask_QN, plan.rules))
    curves_FMBS = np.stack(figures)
    return [select([candidate], plan, curves_FMBS[:, [m]], problems) for m in range(len(scores_MPN))]


def _extended(curve_EBS: Curve, plan: TrainingPlan) -> Curve:
    """The curve at full length: a probe that stopped early keeps its last figures."""
    return np.pad(curve_EBS, ((0, plan.schedule.epochs - len(curve_EBS)), (0, 0), (0, 0)), mode="edge")


def _train_by_kind(
    samples: Samples,
    specs: Sequence[ProbeSpec],
    plan: TrainingPlan,
    moments: Mapping[View, Moments] | None,
    advance: Advance,
) -> list[Trained]:
    """Solve probes in closed form, and train the others, those of sample-wise objectives on the plan's schedule."""
    solved = [place for place, spec in enumerate(specs) if spec.hyperparameters.in_closed_form]
    of_samples = [place for place, spec in enumerate(specs) if plan.sample_wise and spec.objective in SAMPLE_WISE]
    of_problems = sorted(set(range(len(specs))) - {*solved, *of_samples})
    trained: dict[int, Trained] = {}
    advance(0, more=len(solved))
    for schedule, places in ((plan.sample_wise, of_samples), (plan.schedule, of_problems)):
        if schedule and places:
            own = [specs[place] for place in places]
            results = train(samples, own, schedule, plan.rules, moments, caution=plan.caution, advance=advance)
            trained |= zip(places, results, strict=True)
    own = [specs[place] for place in solved]
    trained |= zip(solved, solve(samples, own, plan.rules, moments, advance=advance), strict=True)
    return [trained[place] for place in range(len(specs))]


def _alike(tasks: Sequence[Task]) -> list[list[int]]:
    """The positions of the tasks that share their training problems and their seed."""
    positions: dict[tuple[bytes, int], list[int]] = {}
    for position, task in enumerate(tasks):
        positions.setdefault((task.train_P.numpy().tobytes(), task.seed), []).append(position)
    return list(positions.values())


def _reseeded(plan: TrainingPlan, seed: int) -> TrainingPlan:
    """The plan with the order of the samples drawn from that seed."""
    sample_wise = plan.sample_wise and replace(plan.sample_wise, seed=seed)
    return replace(plan, schedule=replace(plan.schedule, seed=seed), sample_wise=sample_wise)
