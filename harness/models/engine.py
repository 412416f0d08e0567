"""The interfaces of models: engines continue prompts, embedders turn samples into vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from harness.models.tokens import Text, Tokens

if TYPE_CHECKING:
    from harness.models.vectors import Vectors


BATCH_SIZE = 128
"""Sequences at a time, where nobody asks for a number."""


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to draw."""

    prompt: str
    stop: tuple[str, ...]
    seed: int
    greedy: bool = False  # the likeliest token each time, whatever the sampling
    chat: bool = False  # the prompt is what a user says to a chat model


@dataclass(frozen=True, slots=True)
class Generated:
    """One completion as it was drawn."""

    text: str  # as written, special tokens too, without the end token; may hold the stop string and text after it
    finish_reason: str  # "stop" | "length"
    tokens: int | None  # None where it is not told
    logprob: float | None  # sum over the tokens of log p(token) at temperature 1, in nats; None where it is not told
    token_ids: tuple[int, ...] = ()  # as drawn, the end token included; empty where they are not told


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
    def caveat(self) -> str:
        """What keeps a sample from being the same in another batch or after a resume, in a sentence; "" if nothing."""
        ...

    def shown(self, request: Request) -> str:
        """What the model is shown: the prompt, in its chat template where the request is for a chat."""
        ...

    def check(self, requests: Sequence[Request]) -> None:
        """Raise QprobeError for a request that can't be fulfilled; reads no weights and draws nothing."""
        ...

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        """Draw the completions and yield each with its request's position, as they come, in any order.

        What was yielded stands when a later one fails. Raises QprobeError for what the user can mend.
        """
        ...


class View(NamedTuple):
    """Which hidden state of the embedder a vector is: the layer, and where in the text it was taken."""

    layer: int
    pooling: str

    def __str__(self) -> str:
        return f"{self.layer}/{self.pooling}"


class Embedder(Protocol):
    """ConcurrencyGate samples into vectors."""

    @property
    def name(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """All that a vector depends on besides its view; the same identity and view mean the same vectors."""
        ...

    @property
    def views(self) -> tuple[View, ...]:
        """The views asked for."""
        ...

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def shares_prompts(self) -> bool:
        """Whether a batch of one prompt's samples is cheaper than a mixed one. Asked when there is work to do."""
        ...

    def tokenise(self, text: Text) -> Tokens:
        """Tokens of one sample."""
        ...

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> "Vectors":
        """Vectors [samples, views, width], float32."""
        ...
