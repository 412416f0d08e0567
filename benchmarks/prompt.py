"""A prompt: what a model is shown for a problem, and how its answer becomes a program. Named and versioned.

Scores under different prompts do not compare, so a run keeps to one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.problem import Problem


@dataclass(frozen=True, slots=True)
class Prompt:
    """One way of asking for programs. `render`, and with it `extract`, is a pure function of the problem."""

    name: str  # "mbpp/paper"
    version: int
    render: Callable[[Problem], str]
    extract: Callable[[Problem, str], str]  # (problem, raw text of a completion) -> program
    stop: tuple[str, ...] | None = None  # None: each problem's own
    chat: bool = False  # the prompt is what a user says to a chat model
    digest: str = ""  # of what else it depends on: examples, a template's text

    @property
    def identity(self) -> str:
        """Names all that a prompt's scores depend on: "mbpp/paper v1", "mbpp/fewshot-3 v1 0f3a..."."""
        return f"{self.name} v{self.version} {self.digest}".strip()

    def stops(self, problem: Problem) -> tuple[str, ...]:
        """The strings that end a completion of this problem."""
        return problem.stop if self.stop is None else self.stop
