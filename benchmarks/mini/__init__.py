"""Our own problems: small functions over strings, lists and integers, a few of each family.

They are written from a grammar (`scripts/mini`) and shipped with a tiny language model (`model/`) that has learnt from
other problems of the same families, so that the whole line runs on a machine with nothing.
"""

import json
from collections.abc import Sequence
from importlib import resources

from benchmarks.problem import Problem

STOP = ("\ndef", "\nclass", "\n#", "\nif", "\nprint", "\nassert")


class Mini:
    """The embedded benchmark."""

    name = "mini"

    def problems(self) -> Sequence[Problem]:
        """All problems, family by family."""
        rows = resources.files(__name__).joinpath("problems.jsonl").read_text(encoding="utf-8")
        return [Problem(**json.loads(row), stop=STOP) for row in rows.splitlines()]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt continued: the prompts are code, and so is what follows, up to the first stop."""
        end = min((at for stop in problem.stop if (at := completion.find(stop)) >= 0), default=len(completion))
        return prompt + completion[:end]


BENCHMARK = Mini()
