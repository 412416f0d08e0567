"""The data of the page's problem browser: every problem with its samples, in JSON's own types."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.reports.inputs import ProblemSamples, ReportInputs
from harness.runs.scores import Scores

BrowserData = dict[str, Any]


def browser_data(inputs: ReportInputs) -> BrowserData:
    """Return problems and samples in JSON's own types; a problem's samples are columns of equal length.

    A `program` that `continues` the prompt is without it, so that the page holds each prompt once.
    `scores` and `picked` are by objective: each sample's out-of-fold score, and the places of the best-scored samples.
    """
    places = {problem_id: p for p, problem_id in enumerate(inputs.scores.problem_ids)}
    problems = []
    for item in inputs.problems:
        p = places.get(item.problem.id)
        scored = (
            {}
            if p is None or not inputs.objectives
            else _scores(inputs.scores, p, [sample.index for sample in item.samples])
        )
        problems.append({**_problem(item), **_samples(item), **scored})
    return {"objectives": list(inputs.scores.objectives), "problems": problems}


def _problem(item: ProblemSamples) -> BrowserData:
    problem = item.problem
    return {"id": problem.id, "prompt": item.prompt, "tests": problem.tests, "solution": problem.solution}


def _samples(item: ProblemSamples) -> BrowserData:
    samples = item.samples
    outcomes = [sample.outcome for sample in samples]
    rewards = [outcome.reward for outcome in outcomes if outcome and outcome.reward is not None]
    return {
        "rate": sum(rewards) / len(rewards) if rewards else None,
        "index": [sample.index for sample in samples],
        "program": [sample.program.removeprefix(item.prompt) for sample in samples],
        "continues": [sample.program.startswith(item.prompt) for sample in samples],
        "status": [outcome.status.value if outcome else "ungraded" for outcome in outcomes],
        "detail": [outcome.detail if outcome else "" for outcome in outcomes],
        "seconds": [round(outcome.cpu_seconds, 4) if outcome else None for outcome in outcomes],
    }


def _scores(scores: Scores, p: int, indices: Sequence[int]) -> BrowserData:
    """Return the scores of one problem's samples, in the order of `indices`; None for samples without a score."""
    places = {int(index): n for n, index in enumerate(scores.indices_PN[p]) if index >= 0}
    by_name: dict[str, list[float | None]] = {}
    picked: dict[str, list[int]] = {}
    for name, scores_PN in zip(scores.objectives, scores.scores_OPN, strict=True):
        values = [float(scores_PN[p, places[index]]) if index in places else float("nan") for index in indices]
        best = max((value for value in values if np.isfinite(value)), default=None)
        picked[name] = [at for at, value in enumerate(values) if value == best]
        by_name[name] = [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]
    return {"fold": int(scores.fold_P[p]), "scores": by_name, "picked": picked}
