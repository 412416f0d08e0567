"""Ten bundled problems that ask for whole programs, each with a reference in every language.

They are small and cover every kind of comparison: tokens, lines, numbers and a checker.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.extraction import program_of
from benchmarks.jsonl import problem_of_row
from benchmarks.problem import Problem

FOLDER = Path(__file__).parent
TITLES = {"python": "Python", "javascript": "JavaScript"}


class MiniPrograms:
    """The problems, to be solved in Python."""

    name = "mini-programs"
    licence = "Apache-2.0"
    language = "python"

    def problems(self) -> Sequence[Problem]:
        """All ten problems."""
        lines = (FOLDER / "problems.jsonl").read_text(encoding="utf-8").splitlines()
        return [self._problem(json.loads(line)) for line in lines]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The program in the completion's code blocks, or the completion."""
        return program_of(problem, prompt, completion)

    def _problem(self, row: dict[str, Any]) -> Problem:
        solution = row.pop("solutions")[self.language]
        prompt = _prompt(row["prompt"], row["cases"][0], TITLES[self.language])
        return problem_of_row({**row, "prompt": prompt, "language": self.language, "solution": solution}, FOLDER)


class MiniProgramsJs(MiniPrograms):
    """The problems, to be solved in JavaScript."""

    name = "mini-programs-js"
    language = "javascript"


def _prompt(statement: str, shown: dict[str, str], title: str) -> str:
    """The statement with its first case; the others stay hidden."""
    return (
        f"{statement}\n\nWrite a {title} program that reads standard input and writes standard output.\n\n"
        f"Input:\n{shown['input']}\nOutput:\n{shown['output']}\n"
    )
