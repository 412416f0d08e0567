"""The interfaces of models: engines continue prompts, embedders turn samples into vectors."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from harness.errors import QprobeError
from harness.models.tokens import Text, Tokens

if TYPE_CHECKING:
    from harness.models.completion_states import CompletionStates
    from harness.models.vectors import Vectors


K = TypeVar("K")

BATCH_SIZE = 128
"""The default number of sequences that are decoded together."""


CHAT_TOKENS = 1024
"""The default longest completion of a chat prompt, in tokens: an answer explains before and after its program."""

ADDED = ("top_k", "min_p", "repetition_penalty", "system_prompt", "chat_template_kwargs")
"""The fields of `Sampling` that runs of earlier versions lack."""


class PromptError(QprobeError):
    """A prompt that a server does not take: it is too long, or its content is refused."""

    positions: tuple[int, ...] = ()  # of the requests with such prompts


@dataclass(frozen=True)
class Sampling:
    """The rule by which tokens are drawn. The defaults are the paper's (arXiv 2402.14688, section 4).

    Raises QprobeError for a number out of its range.
    """

    temperature: float = 0.8  # 0 is greedy
    top_p: float = 0.95
    max_new_tokens: int = 300
    top_k: int = 0  # 0 allows every token
    min_p: float = 0.0  # least probability, as a share of the likeliest token's
    repetition_penalty: float = 1.0  # above 1, tokens of the prompt and of the completion so far are less likely
    system_prompt: str = ""  # the system message before a chat prompt; "" is none
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)  # variables of the chat template

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise QprobeError(f"The temperature must be 0 or above, and finite, not {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise QprobeError(f"top_p is a probability mass above 0 and at most 1, not {self.top_p}.")
        if self.max_new_tokens < 1:
            raise QprobeError(f"max_new_tokens must be at least 1, not {self.max_new_tokens}.")
        if self.top_k < 0:
            raise QprobeError(f"top_k is a number of tokens, or 0 for all, not {self.top_k}.")
        if not 0 <= self.min_p <= 1:
            raise QprobeError(f"min_p is a share of the likeliest token's probability, from 0 to 1, not {self.min_p}.")
        if not 0 < self.repetition_penalty < math.inf:
            raise QprobeError(f"repetition_penalty must be above 0, and finite, not {self.repetition_penalty}.")

    @property
    def identity(self) -> dict[str, Any]:
        """The values by name; those that earlier versions lack are left out at their defaults, so that runs resume."""
        usual = asdict(Sampling())
        return {name: value for name, value in asdict(self).items() if name not in ADDED or value != usual[name]}

    @property
    def chat_options(self) -> list[str]:
        """The options given that only a chat prompt reads."""
        return [name for name in ("system_prompt", "chat_template_kwargs") if getattr(self, name)]

    def check_prompts(self, requests: Sequence["Request"]) -> None:
        """Raise QprobeError for options of chat prompts beside prompts that are none: they would do nothing."""
        if self.chat_options and not all(request.chat for request in requests):
            flag = f"--{self.chat_options[0].replace('_', '-')}"
            raise QprobeError(f"{flag} is about chat prompts: give --prompt chat, or leave it out.")


@dataclass(frozen=True, slots=True)
class Request:
    """A completion to draw."""

    prompt: str
    stop: tuple[str, ...]
    seed: int
    greedy: bool = False  # the likeliest token each time, at any temperature
    chat: bool = False  # the prompt is a user's message to a chat model


@dataclass(frozen=True, slots=True)
class Generated:
    """A completion as the model wrote it."""

    text: str  # as written, special tokens too, without the end token; may hold the stop string and text after it
    finish_reason: str  # "stop" | "length"
    tokens: int | None  # None where a server does not report it
    logprob: (
        float | None
    )  # sum over the tokens of log p(token) at temperature 1, in nats; None where a server does not report it
    token_ids: tuple[int, ...] = ()  # the end token included; empty where a server does not report them
    states: "CompletionStates | None" = None  # hidden states, where the engine was told to capture them
    least_logprob: float | None = None  # the least of those log p(token)
    self_certainty: float | None = None  # mean over the tokens of KL(uniform || p) in nats (arXiv 2502.18581)


class Engine(Protocol):
    """A language model that continues prompts."""

    @property
    def name(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a completion depends on besides its request."""
        ...

    @property
    def caveat(self) -> str:
        """The reason, in a sentence, why a sample may differ in another batch or after a resume; "" if it does not."""
        ...

    def prompt_text(self, request: Request) -> str:
        """Return the text that the model continues: the prompt, in the chat template where the request is a chat."""
        ...

    def check(self, requests: Sequence[Request]) -> None:
        """Raise QprobeError for a request that cannot be fulfilled; reads no weights and draws nothing."""
        ...

    def capture(self, embedder: "Embedder") -> bool:
        """Capture, from now on, the hidden states that this embedder reads; False where that is not possible.

        It is possible where both are the same model, weights and number format.
        """
        ...

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generated]]:
        """Draw the completions and yield each with its request's position, in the order in which they end.

        Completions that were yielded stay valid when a later one fails. Raises QprobeError for user errors; a server
        that refuses some prompts raises PromptError when all others have their completions.
        """
        ...


@runtime_checkable
class BlockEngine(Protocol):
    """An engine that draws several blocks at a time, on other machines."""

    def generate_blocks(
        self, blocks: Iterable[tuple[K, Sequence[Request]]]
    ) -> Iterator[tuple[K, Sequence[tuple[int, Generated]]]]:
        """Draw blocks as `Engine.generate` draws each, and yield each whole with its key, in any order."""
        ...


class View(NamedTuple):
    """The hidden state that a vector holds: its layer, and its place in the text."""

    layer: int
    pooling: str

    def __str__(self) -> str:
        return f"{self.layer}/{self.pooling}"

    @classmethod
    def parse(cls, name: str) -> "View":
        """Return the view of that name, as `str` gives it. Raises ValueError for any other text."""
        layer, _, pooling = name.partition("/")
        return cls(int(layer), pooling)


class Embedder(Protocol):
    """A model that turns samples into vectors."""

    @property
    def name(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a vector depends on besides its view: equal identities and views mean equal vectors."""
        ...

    @property
    def views(self) -> tuple[View, ...]:
        """The views that `embed` is to compute."""
        ...

    @property
    def width(self) -> int:
        """The number of values in a vector."""
        ...

    @property
    def shares_prompts(self) -> bool:
        """True if a batch of one prompt's samples is cheaper than a mixed one; may read the weights."""
        ...

    def tokenise(self, text: Text) -> Tokens:
        """Return the tokens of a sample."""
        ...

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> "Vectors":
        """Return the vectors [samples, views, width], float32. Raises QprobeError for NaN and infinity."""
        ...


@runtime_checkable
class BatchEmbedder(Protocol):
    """An embedder that reads several batches at a time, on other machines."""

    def embed_batches(
        self, batches: Iterable[tuple[K, Sequence[Tokens]]], views: Sequence[View]
    ) -> "Iterator[tuple[K, Vectors]]":
        """Embed batches as `Embedder.embed` does each, and yield each one's vectors with its key, in any order."""
        ...
