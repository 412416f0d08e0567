"""What every engine does: continue prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to draw."""

    prompt: str
    stop: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Generated:
    """One completion as it was drawn."""

    text: str
    finish_reason: str  # "stop" | "length"
    tokens: int
    logprob: float  # sum over the tokens of log p(token) at temperature 1, in nats


class Engine(Protocol):
    """A language model that continues prompts."""

    @property
    def name(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """All that a completion depends on besides its request."""
        ...

    @property
    def batch_size(self) -> int:
        """How many requests to give at a time."""
        ...

    def check(self, prompts: Sequence[str]) -> None:
        """Raise QprobeError for a prompt that can't be continued; reads no weights."""
        ...

    def generate(self, requests: Sequence[Request]) -> list[Generated]:
        """Draw the completions, in the order of the requests."""
        ...
