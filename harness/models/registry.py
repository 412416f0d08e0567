"""From what a user writes after --model or --embedder to what writes or reads."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.models.engine import Embedder, Engine
from harness.models.spec import parse_spec

if TYPE_CHECKING:  # naming a model does not need torch
    from harness.models.sampling import Sampling

ENGINES = {
    "hf": "harness.models.hf.engine:HfEngine",
    "openai": "harness.models.openai.engine:OpenAIEngine",
    "vllm": "harness.models.vllm:VllmEngine",
}
"""Scheme -> where the class is. Imported when asked for, so that a name costs nothing."""

EMBEDDERS = {
    "hf": "harness.models.hf.embedder:HfEmbedder",
    "openai": "harness.models.openai.embedder:OpenAIEmbedder",
}
"""The same for what reads."""


def open_engine(spec: str, sampling: "Sampling", *, batch_size: int | None = None, device: str = "auto") -> Engine:
    """The engine that `SCHEME:NAME[,key=value]` names, with all that is cheap to check checked. Raises QprobeError."""
    engine: Engine = _named(spec, ENGINES)(spec, sampling, batch_size=batch_size, device=device)
    return engine


def open_embedder(
    spec: str, *, layers: str | None = None, pooling: str | None = None, device: str = "auto"
) -> Embedder:
    """The embedder that `SCHEME:NAME[,key=value]` names, checked in the same way. Raises QprobeError."""
    embedder: Embedder = _named(spec, EMBEDDERS)(spec, layers=layers, pooling=pooling, device=device)
    return embedder


def _named(spec: str, classes: dict[str, str]) -> Any:  # noqa: ANN401 - one of the classes
    module, _, name = classes[parse_spec(spec, tuple(classes)).scheme].partition(":")
    return getattr(import_module(module), name)
