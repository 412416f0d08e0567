"""Regrade: run some graded programs once more, to measure whether verdicts stay the same."""

import hashlib
import json

from harness.progress import SILENT, Progress
from harness.runs.completion import SampleId
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stages.grade import Budget, candidate
from sandbox import Sandbox

REGRADED = 200
"""The number of programs that are graded twice by default."""


def regrade(
    store: Store, sandbox: Sandbox, budget: Budget, progress: Progress = SILENT, programs: int = REGRADED
) -> None:
    """Grade some programs once more, the same ones whenever this is run."""
    grader = store.about.require_grader(store.folder)
    second = VerdictSet.REGRADE.key(grader)
    chosen = set(sorted(store.verdicts(grader), key=_lot)[:programs]) - set(store.verdicts(second))
    problems, plans = {problem.id: problem for problem in store.problems()}, store.plans(grader)
    work = [
        candidate(item.program, [item.id], problems[item.problem_id], plans[item.problem_id], budget)
        for item in store.completions()
        if item.id in chosen
    ]
    outcomes = {}
    with progress.task("Grading again", len(work)) as advance:
        for job, outcome in sandbox.run(work):
            (sample,) = json.loads(job.key)
            outcomes[SampleId(*sample)] = outcome
            advance()
    store.add_verdicts(second, outcomes)


def _lot(sample: SampleId) -> str:
    return hashlib.sha256(json.dumps(sample).encode()).hexdigest()
