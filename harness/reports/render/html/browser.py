"""What the page's browser of problems shows: every sample of every problem, packed small, read by the page's script."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import Problem
from harness.runs.completion import Completion, SampleId
from harness.runs.scores import Scores
from harness.runs.store import Store
from sandbox import Outcome

Data = dict[str, Any]


def browser_data(store: Store, scores: Scores) -> Data:
    """Problems and samples as JSON's own types; a problem's samples are columns of equal length.

    `scores` and `picked` are by objective: each sample's out-of-fold score, and the places of the best-scored samples.
    """
    verdicts = store.verdicts(scores.settings["grader"])
    places = {problem_id: p for p, problem_id in enumerate(scores.problem_ids)}
    problems = []
    for problem in store.problems():
        found = list(store.completions(problem.id))
        if found:
            p = places.get(problem.id)
            probed = {} if p is None else _probed(scores, p, [completion.index for completion in found])
            problems.append({**_problem(problem, found), **_samples(problem, found, verdicts), **probed})
    return {"objectives": list(scores.objectives), "problems": problems}


def _problem(problem: Problem, found: list[Completion]) -> Data:
    return {
        "id": problem.id,
        "prompt": found[0].prompt or problem.prompt,
        "tests": problem.tests,
        "solution": problem.solution,
    }


def _samples(problem: Problem, found: list[Completion], verdicts: Mapping[SampleId, Outcome]) -> Data:
    outcomes = [verdicts.get(completion.id) for completion in found]
    graded = [outcome.reward for outcome in outcomes if outcome and outcome.reward is not None]
    return {
        "rate": sum(graded) / len(graded) if graded else None,
        "index": [completion.index for completion in found],
        "program": [completion.continuation for completion in found],
        "status": [outcome.status.value if outcome else "ungraded" for outcome in outcomes],
        "detail": [outcome.detail if outcome else "" for outcome in outcomes],
        "seconds": [round(outcome.cpu_seconds, 4) if outcome else None for outcome in outcomes],
    }


def _probed(scores: Scores, p: int, indices: list[int]) -> Data:
    """The scores of one problem's samples, in the order of `indices`."""
    place = {int(index): n for n, index in enumerate(scores.indices_PN[p]) if index >= 0}
    known = [place.get(index) for index in indices]
    by_name: dict[str, list[float | None]] = {}
    picked: dict[str, list[int]] = {}
    for name, scores_PN in zip(scores.objectives, scores.scores_OPN, strict=True):
        mine = [float("nan") if n is None else float(scores_PN[p, n]) for n in known]
        best = np.nanmax(mine) if any(n is not None for n in known) else float("nan")
        picked[name] = [at for at, score in enumerate(mine) if score == best]
        by_name[name] = [None if np.isnan(score) else float(f"{score:.4g}") for score in mine]
    return {"fold": int(scores.fold_P[p]), "scores": by_name, "picked": picked}


def packed(data: Data) -> str:
    """The data as text that is safe anywhere in a page: JSON, gzip'ed, in base64. The same data give the same text."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("ascii"), mtime=0)).decode("ascii")
