"""Training reports its progress: one task per public call, of exactly the probes that are trained."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.probes import (
    PRESETS,
    Grid,
    ProbeError,
    Samples,
    Schedule,
    TrainingPlan,
    cross_validate,
    cross_validations,
    learning_curves,
    train_and_test,
    train_probes,
)
from harness.probes.synthetic import plant
from harness.progress import Advance, one_task
from harness.reports.build import report
from harness.reports.inputs import read_inputs
from harness.reports.render.notes import notes
from harness.runs.store import Store
from harness.stages.probe import probe
from tests.made_run import fill
from tests.runs import make_run

GRID = Grid(l2s=(0.1, 0.001), learning_rates=(3e-3,), solved_l2s=(0.1, 0.001))
PLAN = TrainingPlan(grid=GRID, schedule=Schedule(epochs=3), inner_folds=3, inner_used=2)
QUICK_PAPER = replace(
    PRESETS["paper"],
    schedule=replace(PRESETS["paper"].schedule, epochs=2),
    sample_wise=replace(PRESETS["paper"].sample_wise, epochs=2),
)
TRIALS = 2 * 2  # per task: two values of l2 on two inner folds


@dataclass
class Recorded:
    """Progress that counts: per task, the items announced and the items done after every call."""

    titles: list[str] = field(default_factory=list)
    calls: list[list[tuple[int, int]]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def message(self, text: str) -> None:
        self.messages.append(text)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Advance]:
        counts = [(total, done)]
        self.titles.append(title)
        self.calls.append(counts)

        def advance(count: int = 1, note: str = "", more: int = 0) -> None:
            announced, finished = counts[-1]
            counts.append((announced + more, finished + count))

        yield advance

    def single(self) -> list[tuple[int, int]]:
        """The calls of the only task."""
        assert self.titles == ["Training probes"]
        return self.calls[0]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_cross_validation_is_one_task_of_all_trials_and_then_the_selected_probes():
    progress = Recorded()
    cross_validate(plant(20, 6, 4).samples, ["mse", "pg"], folds=4, plan=PLAN, controls=1, progress=progress)
    calls, tasks = progress.single(), 4 * 3
    assert all(finished <= announced for announced, finished in calls)
    assert calls[2] == (tasks * TRIALS, 0), "those in closed form, then the others"
    assert (tasks * TRIALS + tasks, tasks * TRIALS) in calls
    assert calls[-1] == (tasks * TRIALS + tasks, tasks * TRIALS + tasks)


@pytest.mark.parametrize(
    ("call", "probes"),
    [
        (lambda s, p: cross_validations(s, ["mse"], folds=2, seeds=[1, 2], plan=PLAN, progress=p), 4 * (TRIALS + 1)),
        (lambda s, p: learning_curves(s, ["mse"], [6, 8], folds=2, seeds=[3], plan=PLAN, progress=p), 4 * (TRIALS + 1)),
        (lambda s, p: train_probes(s, ["mse", "pg"], plan=PLAN, progress=p), 2 * (TRIALS + 1)),
        (
            lambda s, p: train_and_test(
                s.take(range(12)), {"rest": s.take(range(12, 20))}, ["mse"], plan=PLAN, controls=2, progress=p
            ),
            3 * (TRIALS + 1),
        ),
        (lambda s, p: cross_validate(s, ["mse", "pg"], folds=3, plan=QUICK_PAPER, controls=0, progress=p), 2 * 3),
    ],
    ids=["cross_validations", "learning_curve", "train_probes", "train_and_test", "paper"],
)
def test_every_public_call_is_one_task(call: Callable[[Samples, Recorded], object], probes: int):
    progress = Recorded()
    call(plant(20, 6, 4).samples, progress)
    assert progress.single()[-1] == (probes, probes)


def test_a_refused_call_announces_no_probe():
    progress, samples = Recorded(), plant(20, 6, 4).samples
    with pytest.raises(ProbeError, match="no passing sample"):
        train_probes(replace(samples, rewards_PN=0 * samples.rewards_PN), ["mse"], plan=PLAN, progress=progress)
    assert progress.single() == [(0, 0)]


def test_tasks_within_one_task_add_to_it():
    outer = Recorded()
    with one_task(outer, "Training probes") as progress:
        progress.message("two rounds")
        for total, done in ((3, 1), (2, 0)):
            with progress.task("a round", total, done) as advance:
                advance(total - done)
    assert outer.single()[-1] == (5, 5)
    assert outer.messages == ["two rounds"]


def test_the_stage_is_one_task(tmp_path: Path, tiny_llama: Path):
    progress = Recorded()
    with Store(make_run(tmp_path / "run", tiny_llama, numbers=range(6))) as store:
        probe(store, ["mse"], folds=2, repeats=2, learning=True, progress=progress)
    announced, finished = progress.single()[-1]
    assert announced == finished > 0


def test_the_stage_says_where_near_duplicates_are_in_different_folds(tmp_path: Path):
    """All twelve problems have the same prompt."""
    with Store(tmp_path / "run", create=True) as store:
        fill(store)
        for grouped, messages in (
            (True, ["(no two share one): 12 of the 12 problems are near-duplicates of each other."]),
            (False, []),
        ):
            progress = Recorded()
            probe(store, ["mse"], folds=3, repeats=1, group_duplicates=grouped, progress=progress)
            assert [message.partition("different folds ")[2] for message in progress.messages] == messages
            (line,) = (line for line in notes(report(read_inputs(store))) if line.startswith("Probes:"))
            assert ("near-duplicates in different folds (12 of the 12 problems" in line) == grouped


def test_reporting_changes_no_score():
    samples = plant(20, 6, 4).samples
    silent, reported = (
        cross_validate(samples, ["mse", "pg"], folds=2, plan=PLAN, controls=1, **options)
        for options in ({}, {"progress": Recorded()})
    )
    assert torch.equal(silent.scores_OPN, reported.scores_OPN)
    for name, control in silent.controls.items():
        np.testing.assert_array_equal(control.scores_CPN, reported.controls[name].scores_CPN)
