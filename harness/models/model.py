"""A language model by its name, with its sampling: the engine that writes, and the embedder that reads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from harness.errors import QprobeError
from harness.models.engine import CHAT_TOKENS, Embedder, Engine, Sampling
from harness.models.registry import ENGINES, open_embedder, open_engine
from harness.models.spec import parse_spec
from harness.models.template_variables import write_variables


@dataclass(frozen=True)
class Model:
    """A model; its weights are read when it first writes or reads. Raises QprobeError for a batch size below 1."""

    spec: str  # SCHEME:NAME[,key=value,...]
    adapter: str | None = None  # folder of a PEFT adapter
    sampling: Sampling = field(default_factory=Sampling)
    batch_size: int | None = None
    device: str = "auto"
    limited_by_prompt: bool = False  # a chat prompt raises the longest completion to CHAT_TOKENS

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise QprobeError(f"batch_size is a number of sequences and must be at least 1, not {self.batch_size}.")

    def for_prompt(self, *, chat: bool) -> Self:
        """Return the model with the longest completion that its prompt needs, unless the user chose it."""
        if not (chat and self.limited_by_prompt):
            return self
        return replace(self, sampling=replace(self.sampling, max_new_tokens=CHAT_TOKENS), limited_by_prompt=False)

    @property
    def name(self) -> str:
        """The model's name with its adapter in it."""
        return f"{self.spec},adapter={self.adapter}" if self.adapter else self.spec

    def at(self, location: str) -> Self:
        """Return the model read at a location inside its layers: res, attn or mlp. Raises QprobeError for a server."""
        if location == "res":
            return self
        if not self.spec.startswith("hf:"):
            raise QprobeError("--location is about models of transformers: leave it out.")
        return replace(self, spec=f"{self.spec},location={location}")

    @property
    def here(self) -> Self:
        """The model as this machine checks it and tokenises for it, where others have its weights and the device."""
        return replace(self, device="cpu") if self.is_local else self

    @property
    def is_local(self) -> bool:
        """True unless the model is on a server."""
        return parse_spec(self.spec, tuple(ENGINES)).scheme != "openai"

    @property
    def settings(self) -> dict[str, Any]:
        """The model as a run's settings name it."""
        variables = write_variables(self.sampling.chat_template_kwargs)
        return {
            "model": self.spec,
            "adapter": self.adapter,
            **asdict(self.sampling),
            "chat_template_kwargs": variables,
            "batch_size": self.batch_size,
            "device": self.device,
        }

    def engine(self) -> Engine:
        """Return the engine that writes completions, cheap checks done. Raises QprobeError."""
        return open_engine(self.name, self.sampling, batch_size=self.batch_size, device=self.device)

    def embedder(self, layers: str | Sequence[float] | None = None, pooling: str | None = None) -> Embedder:
        """Return the embedder that reads hidden states at the layers, in text or as numbers. Raises QprobeError."""
        text = layers if layers is None or isinstance(layers, str) else ",".join(str(layer) for layer in layers)
        return open_embedder(self.name, layers=text, pooling=pooling, device=self.device)


def load_model(
    spec: str,
    *,
    adapter: str | None = None,
    temperature: float = Sampling.temperature,
    top_p: float = Sampling.top_p,
    max_new_tokens: int | None = None,
    top_k: int = Sampling.top_k,
    min_p: float = Sampling.min_p,
    repetition_penalty: float = Sampling.repetition_penalty,
    system_prompt: str = Sampling.system_prompt,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    device: str = "auto",
) -> Model:
    """Return the model named `SCHEME:NAME[,key=value,...]`: `hf:FOLDER`, `hf:HUB_ID`, `openai:MODEL,url=...`, ...

    `max_new_tokens` is the longest completion: by default 300, or 1,024 with a chat prompt. `system_prompt` and
    `chat_template_kwargs`, such as {"enable_thinking": False}, are for chat prompts. `batch_size` is the number of
    sequences decoded together. Raises QprobeError for a name that cannot be read, or a number out of its range.
    """
    parse_spec(spec, tuple(ENGINES))
    sampling = Sampling(
        temperature,
        top_p,
        Sampling.max_new_tokens if max_new_tokens is None else max_new_tokens,
        top_k,
        min_p,
        repetition_penalty,
        system_prompt,
        chat_template_kwargs or {},
    )
    return Model(spec, adapter, sampling, batch_size, device, limited_by_prompt=max_new_tokens is None)
