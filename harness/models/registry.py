"""Engines and embedders by the names that users give to --model and --embedder."""

from importlib import import_module
from typing import Any

from harness.models.engine import Embedder, Engine, Sampling
from harness.models.spec import parse_spec

ENGINES = {
    "hf": "harness.models.hf.engine:HfEngine",
    "openai": "harness.models.openai.engine:OpenAIEngine",
    "vllm": "harness.models.vllm:VllmEngine",
}
"""Scheme -> module and class of an engine, imported when a model of that scheme is opened.

A class is called as `Class(spec, sampling, batch_size=..., device=...)` and follows `harness.models.engine.Engine`.
"""

EMBEDDERS = {
    "hf": "harness.models.hf.embedder:HfEmbedder",
    "openai": "harness.models.openai.embedder:OpenAIEmbedder",
}
"""Scheme -> module and class of an embedder, called as `Class(spec, layers=..., pooling=..., device=...)`.

It follows `harness.models.engine.Embedder`.
"""


def open_engine(spec: str, sampling: Sampling, *, batch_size: int | None = None, device: str = "auto") -> Engine:
    """Return the engine that `SCHEME:NAME[,key=value]` names; its weights are not read yet.

    Raises QprobeError for everything that can be checked without them.
    """
    engine: Engine = _class_of(spec, ENGINES)(spec, sampling, batch_size=batch_size, device=device)
    return engine


def open_embedder(
    spec: str, *, layers: str | None = None, pooling: str | None = None, device: str = "auto"
) -> Embedder:
    """Return the embedder that `SCHEME:NAME[,key=value]` names, checked in the same way. Raises QprobeError."""
    embedder: Embedder = _class_of(spec, EMBEDDERS)(spec, layers=layers, pooling=pooling, device=device)
    return embedder


def _class_of(spec: str, classes: dict[str, str]) -> Any:  # noqa: ANN401 - one of the classes
    module, _, name = classes[parse_spec(spec, tuple(classes)).scheme].partition(":")
    return getattr(import_module(module), name)
