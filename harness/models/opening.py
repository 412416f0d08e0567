"""From what a user writes after --model to an engine."""

from importlib import import_module
from typing import TYPE_CHECKING

from harness.models.engine import Engine
from harness.models.spec import parse_spec

if TYPE_CHECKING:  # naming a model does not need torch
    from harness.models.sampling import Sampling

ENGINES = {
    "hf": "harness.models.hf_engine:HfEngine",
    "openai": "harness.models.openai_engine:OpenAIEngine",
    "vllm": "harness.models.vllm_engine:VllmEngine",
}
"""Scheme -> where the class is. Imported when asked for, so that a name costs nothing."""


def open_engine(spec: str, sampling: "Sampling", *, batch_size: int | None = None, device: str = "auto") -> Engine:
    """The engine that `SCHEME:NAME[,key=value]` names, with all that is cheap to check checked. Raises QprobeError."""
    module, _, name = ENGINES[parse_spec(spec, tuple(ENGINES)).scheme].partition(":")
    engine: Engine = getattr(import_module(module), name)(spec, sampling, batch_size=batch_size, device=device)
    return engine
