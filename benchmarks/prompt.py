"""A prompt: the text that a model is given for a problem, and the way from its answer to a program. Has a version.

Scores under different prompts do not compare, so a run has one prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.problem import Problem


@dataclass(frozen=True, slots=True)
class Prompt:
    """One way to ask for programs. `render` and `extract` are pure functions."""

    name: str  # "mbpp/paper"
    version: int
    render: Callable[[Problem], str]
    extract: Callable[[Problem, str], str]  # (problem, raw text of a completion) -> program
    stop: tuple[str, ...] | None = None  # None: each problem's own
    chat: bool = False  # the prompt is a user's message to a chat model
    digest: str = ""  # of all else that it depends on: examples, a template's text

    @property
    def identity(self) -> str:
        """The name of all that a prompt's scores depend on: "mbpp/paper v1", "mbpp/fewshot-3 v1 0f3a..."."""
        return f"{self.name} v{self.version} {self.digest}".strip()

    def stops(self, problem: Problem) -> tuple[str, ...]:
        """The strings that end a completion of this problem."""
        return problem.stop if self.stop is None else self.stop
