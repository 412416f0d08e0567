"""Nested selection: everything about a probe is chosen inside its own training problems.

The training problems of each task are cut into inner folds; every setting is trained without one of them and judged on
it after each epoch. What `choosing` takes of them is trained again on all of the task's training problems.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from harness.probes.batch import ProbeSpec
from harness.probes.folds import assign_folds
from harness.probes.model_selection import Selected, choose
from harness.probes.moments import Moments
from harness.probes.plans import SAMPLE_WISE, TrainingPlan
from harness.probes.probe import Probe
from harness.probes.samples import ProbeError, Samples, View
from harness.probes.training import Trained, measure, train
from harness.probes.validation import Curve


@dataclass(frozen=True)
class Task:
    """A probe that is wanted."""

    objective: str
    train_P: Tensor  # bool: all it may ever learn from
    seed: int = 0
    shuffle: int | None = None  # learn from rewards permuted anew with this seed: a control


@dataclass(frozen=True)
class Fitted:
    """A task's probe."""

    task: Task
    choice: Selected
    probe: Probe


def fit(
    samples: Samples, tasks: Sequence[Task], plan: TrainingPlan, groups: Mapping[str, int] | None = None
) -> list[Fitted]:
    """Choose and train every task's probe, all settings of all tasks together; the results are in the tasks' order.

    `groups` numbers near-duplicate problems, which then share an inner fold. Raises ProbeError where a task's training
    problems lack a pass or a failure, or are too few to choose on.
    """
    for task in tasks:
        refuse_one_sided(samples, task.train_P)
    if not plan.apart:
        return _fit_together(samples, tasks, plan, groups)
    fitted: dict[int, Fitted] = {}
    for places in _alike(tasks):
        own_problems = tasks[places[0]].train_P.nonzero().flatten()
        all_own = torch.ones(len(own_problems), dtype=torch.bool)
        own_tasks = [replace(tasks[place], train_P=all_own) for place in places]
        results = _fit_together(samples.take(own_problems), own_tasks, _reseeded(plan, own_tasks[0].seed), groups)
        fitted |= {place: replace(result, task=tasks[place]) for place, result in zip(places, results, strict=True)}
    return [fitted[place] for place in range(len(tasks))]


def refuse_one_sided(samples: Samples, train_P: Tensor) -> None:
    """Raise ProbeError where the training problems have no graded sample, no pass or no failure."""
    train_P = train_P.to(samples.mask_PN.device)
    graded = samples.rewards_PN[train_P][samples.mask_PN[train_P]]
    if len(graded) and bool((graded != graded[0]).any()):
        return
    lack = "graded sample" if len(graded) == 0 else "failing sample" if graded[0] > 0 else "passing sample"
    raise ProbeError(
        f"the {int(train_P.sum())} training problems have no {lack}: there is nothing to learn from; draw more "
        "samples, or take another model or other problems, so that some samples pass and some fail"
    )


def _fit_together(
    samples: Samples, tasks: Sequence[Task], plan: TrainingPlan, groups: Mapping[str, int] | None
) -> list[Fitted]:
    moments = measure(samples) if plan.schedule.standardise else None

    def run(members: Sequence[ProbeSpec]) -> list[Trained]:
        return _train_by_schedule(samples, members, plan, moments)

    if plan.inner_folds:
        plan = _with_few_problems(plan, min(_apart(samples, task, groups) for task in tasks))
        choices = _choose(samples, tasks, plan, groups, run)
    else:
        choices = [_only_choice(samples, task, plan) for task in tasks]
    members = [
        ProbeSpec(task.objective, choice.setting, task.train_P, None, choice.epochs, task.seed, task.shuffle)
        for task, choice in zip(tasks, choices, strict=True)
    ]
    return [
        Fitted(task, choice, replace(trained.probe, card=replace(trained.probe.card, beta=choice.temperature)))
        for task, choice, trained in zip(tasks, choices, run(members), strict=True)
    ]


def _only_choice(samples: Samples, task: Task, plan: TrainingPlan) -> Selected:
    settings = plan.grid.settings(samples, task.objective)
    if len(settings) > 1 or len(plan.temperatures) > 1:
        read = ", ".join(dict.fromkeys(str(view) for setting in settings for view in setting.views))
        raise ProbeError(
            f"without inner folds nothing can be chosen, and there are {len(settings)} settings (layers: {read}): "
            "embed with one layer and one pooling, or choose with the preset nested"
        )
    return Selected(settings[0], plan.temperatures[0], plan.schedule.epochs, float("nan"))


def _choose(
    samples: Samples,
    tasks: Sequence[Task],
    plan: TrainingPlan,
    groups: Mapping[str, int] | None,
    run: Callable[[Sequence[ProbeSpec]], list[Trained]],
) -> list[Selected]:
    """Train every setting on every inner fold of every task, and take each task's best."""
    settings = {task.objective: plan.grid.settings(samples, task.objective) for task in tasks}
    trials = [
        ProbeSpec(task.objective, setting, task.train_P & ~held_out_P, held_out_P, None, task.seed, task.shuffle)
        for task in tasks
        for setting in settings[task.objective]
        for held_out_P in _inner_folds(samples, task, plan, groups)
    ]
    curves = (_extended(trained.curve_EB, plan) for trained in run(trials))
    own = (settings[task.objective] for task in tasks)
    return [choose(tried, plan, np.stack(list(islice(curves, len(tried) * plan.inner_used)))) for tried in own]


def _apart(samples: Samples, task: Task, groups: Mapping[str, int] | None) -> int:
    """How many training problems, or groups of near-duplicates, can be put into inner folds."""
    names, group_of = (samples.problem_ids[place] for place in task.train_P.nonzero()), groups or {}
    return len({group_of.get(name, name) for name in names})


def _with_few_problems(plan: TrainingPlan, problems: int) -> TrainingPlan:
    """The plan with no more inner folds than training problems. Raises ProbeError where there are not even two."""
    if problems < 2:
        raise ProbeError("one training problem leaves none to choose on: use more problems or fewer folds")
    inner_folds = min(plan.inner_folds, problems)
    return replace(plan, inner_folds=inner_folds, inner_used=min(plan.inner_used, inner_folds))


def _inner_folds(samples: Samples, task: Task, plan: TrainingPlan, groups: Mapping[str, int] | None) -> list[Tensor]:
    """The training problems held out for validation, [P] for each inner fold that is used."""
    problems_T = task.train_P.nonzero().flatten()
    fold_T = assign_folds([samples.problem_ids[i] for i in problems_T.tolist()], plan.inner_folds, task.seed, groups)
    folds = []
    for fold in range(plan.inner_used):
        held_out_P = torch.zeros_like(task.train_P)
        held_out_P[problems_T[fold_T == fold]] = True
        folds.append(held_out_P)
    return folds


def _extended(curve_EB: Curve, plan: TrainingPlan) -> Curve:
    """The curve at full length: a probe that stopped early stays at its last figure."""
    return np.pad(curve_EB, ((0, plan.schedule.epochs - len(curve_EB)), (0, 0)), mode="edge")


def _train_by_schedule(
    samples: Samples, members: Sequence[ProbeSpec], plan: TrainingPlan, moments: Mapping[View, Moments] | None
) -> list[Trained]:
    """Train the members, those of sample-wise objectives on the schedule the plan has for them."""
    if plan.sample_wise is None:
        return train(samples, members, plan.schedule, plan.temperatures, moments)
    apart = [member.objective in SAMPLE_WISE for member in members]
    sample_wise = [member for member, is_apart in zip(members, apart, strict=True) if is_apart]
    others = [member for member, is_apart in zip(members, apart, strict=True) if not is_apart]
    of_sample_wise = iter(train(samples, sample_wise, plan.sample_wise, plan.temperatures, moments))
    of_others = iter(train(samples, others, plan.schedule, plan.temperatures, moments))
    return [next(of_sample_wise) if is_apart else next(of_others) for is_apart in apart]


def _alike(tasks: Sequence[Task]) -> list[list[int]]:
    """The places of the tasks that share their training problems and their seed."""
    places: dict[tuple[bytes, int], list[int]] = {}
    for place, task in enumerate(tasks):
        places.setdefault((task.train_P.numpy().tobytes(), task.seed), []).append(place)
    return list(places.values())


def _reseeded(plan: TrainingPlan, seed: int) -> TrainingPlan:
    """The plan with the order of the samples drawn from that seed."""
    sample_wise = plan.sample_wise and replace(plan.sample_wise, seed=seed)
    return replace(plan, schedule=replace(plan.schedule, seed=seed), sample_wise=sample_wise)
