"""Samples to look at: each with its program, its verdict, its scores, and the objectives that select it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import groupby
from typing import Any

from benchmarks import Problem
from benchmarks.choices import unknown
from harness.errors import QprobeError
from harness.reports.json_values import jsonable
from harness.runs.completion import Completion, SampleId
from harness.runs.scores import Scores, load_scores, scores_if_current
from harness.runs.store import Store
from sandbox import Outcome


@dataclass(frozen=True, slots=True)
class Score:
    """One objective's out-of-fold score of a sample."""

    value: float
    rank: int  # among the problem's samples; 1 is the best
    is_best: bool  # no sample of the problem has a higher score


@dataclass(frozen=True, slots=True)
class ViewedSample:
    """A sample with all that is known of it."""

    completion: Completion
    outcome: Outcome | None
    scores: dict[str, Score] = field(default_factory=dict)  # by objective

    @property
    def status(self) -> str:
        """The verdict's status, or "ungraded"."""
        return self.outcome.status.value if self.outcome else "ungraded"

    @property
    def fails(self) -> bool:
        """True for a verdict without reward; False where there is no verdict on the program."""
        return self.outcome is not None and self.outcome.reward == 0

    @property
    def picked_by(self) -> list[str]:
        """The objectives that select this sample of its problem."""
        return [name for name, score in self.scores.items() if score.is_best]


@dataclass(frozen=True, slots=True)
class ViewedProblem:
    """A problem and those of its samples that are to be shown."""

    problem: Problem
    prompt: str  # as the model saw it
    fold: int | None  # in which its samples were held out
    graded: int  # samples of the problem with a reward, shown or not
    passed: int
    samples: tuple[ViewedSample, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the problem and its samples in JSON's own types."""
        problem = self.problem
        about = {"id": problem.id, "prompt": self.prompt, "tests": problem.tests, "solution": problem.solution}
        counts = {"fold": self.fold, "graded": self.graded, "passed": self.passed}
        return {**about, **counts, "samples": [_sample_json(sample) for sample in self.samples]}


def _sample_json(sample: ViewedSample) -> dict[str, Any]:
    completion, outcome = sample.completion, sample.outcome
    scores = {name: {"score": score.value, "rank": score.rank} for name, score in sample.scores.items()}
    about = {
        "index": completion.index,
        "status": sample.status,
        "detail": outcome.detail if outcome else "",
        "cpu_seconds": outcome.cpu_seconds if outcome else None,
        "tokens": completion.tokens,
        "logprob": completion.logprob,
        "finish_reason": completion.finish_reason or None,
        "scores": scores,
        "picked_by": sample.picked_by,
        "text": completion.text,
        "program": completion.program,
    }
    shown: dict[str, Any] = jsonable(about)
    return shown


@dataclass(frozen=True, slots=True)
class Wanted:
    """The samples to look at."""

    problem_id: str | None = None
    index: int | None = None
    failing: bool = False  # only programs that fail
    picked: str | None = None  # only the samples that this objective selects


def view(store: Store, wanted: Wanted) -> list[ViewedProblem]:
    """Return the problems that have wanted samples. Raises QprobeError for an objective that the run does not have."""
    scores = load_scores(store) if wanted.picked else scores_if_current(store)
    if wanted.picked and scores and wanted.picked not in scores.objectives:
        raise QprobeError(unknown("objective", wanted.picked, scores.objectives))
    verdicts = store.verdicts(store.about.shown_grader or "")
    problems = {problem.id: problem for problem in store.problems()}
    shown = []
    for problem_id, group in groupby(store.completions(wanted.problem_id), key=lambda one: one.problem_id):
        completions = list(group)
        fold, scored = _scores_of(scores, problem_id)
        samples = [ViewedSample(one, verdicts.get(one.id), scored.get(one.index, {})) for one in completions]
        rewards = [reward for one in samples if one.outcome and (reward := one.outcome.reward) is not None]
        chosen = tuple(sample for sample in samples if _is_wanted(sample, wanted))
        counts = len(rewards), sum(reward > 0 for reward in rewards)
        if chosen:
            shown.append(ViewedProblem(problems[problem_id], completions[0].prompt, fold, *counts, chosen))
    return shown


def _is_wanted(sample: ViewedSample, wanted: Wanted) -> bool:
    if wanted.index is not None and sample.completion.index != wanted.index:
        return False
    if wanted.picked is not None and wanted.picked not in sample.picked_by:
        return False
    return sample.fails or not wanted.failing


def _scores_of(scores: Scores | None, problem_id: str) -> tuple[int | None, dict[int, dict[str, Score]]]:
    """Return a problem's fold, and the scores of its samples by index and objective."""
    if scores is None or problem_id not in scores.problem_ids:
        return None, {}
    p = scores.problem_ids.index(problem_id)
    indices = scores.indices_PN[p].tolist()
    by_sample: dict[int, dict[str, Score]] = {}
    for name, scores_PN in zip(scores.objectives, scores.scores_OPN, strict=True):
        values = [(value, index) for value, index in zip(scores_PN[p].tolist(), indices, strict=True) if index >= 0]
        for index, score in _ranked(values):
            by_sample.setdefault(index, {})[name] = score
    return int(scores.fold_P[p]), by_sample


def _ranked(values: Sequence[tuple[float, int]]) -> Iterator[tuple[int, Score]]:
    """Yield the index and the score of every sample that has one; equal scores have equal ranks."""
    finite = [value for value, _ in values if math.isfinite(value)]
    for value, index in values:
        if math.isfinite(value):
            rank = 1 + sum(other > value for other in finite)
            yield index, Score(value, rank, rank == 1)


def find_sample(name: str, store: Store) -> tuple[str, int | None]:
    """Return the problem, and the index, that PROBLEM or PROBLEM/INDEX names; of an id, its end is enough.

    Raises QprobeError for a name that fits no problem, or several.
    """
    ids = [problem.id for problem in store.problems()]
    if problem_id := _fitting(name, ids):
        return problem_id, None
    head, _, tail = name.rpartition("/")
    if tail.isdecimal() and (problem_id := _fitting(head, ids)):
        indices = [index for owner, index in store.sample_ids() if owner == problem_id]
        if int(tail) not in indices:
            raise QprobeError(f"{problem_id} has no sample {tail}: its {_counted(indices)}.")
        return problem_id, int(tail)
    near = get_close_matches(name, ids, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise QprobeError(f"{store.folder} has no problem {name!r}; qprobe show {store.folder} lists them.{hint}")


def _fitting(name: str, ids: Sequence[str]) -> str | None:
    if name in ids:
        return name
    lowered = name.lower()
    fitting = [one for one in ids if lowered and (one.lower() == lowered or one.lower().endswith(f"/{lowered}"))]
    if len(fitting) > 1:
        raise QprobeError(f"{name!r} fits {len(fitting)} problems ({', '.join(fitting[:5])}): give the whole id.")
    return fitting[0] if fitting else None


def _counted(indices: Sequence[int]) -> str:
    return f"samples are {min(indices)} to {max(indices)}" if indices else "samples are not drawn yet"


def sample_name(sample: SampleId) -> str:
    """Return PROBLEM/INDEX."""
    return f"{sample.problem_id}/{sample.sample}"
