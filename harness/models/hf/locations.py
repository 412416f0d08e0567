"""The places inside a layer where a hidden state is read: the residual stream, the attention heads, or the MLP.

Layer i counts from 1: its heads are the values before the output projection of its attention, those of all heads one
after the other, and its MLP is what the MLP adds to the residual stream. The residual stream of layer i is behind both.
"""

import difflib
import inspect
from typing import Any

from torch import nn

from harness.errors import QprobeError

RESIDUAL, HEADS, MLP = "res", "attn", "mlp"
LOCATIONS = (RESIDUAL, HEADS, MLP)
ATTENTIONS = ("self_attn", "attention", "attn", "self_attention")
PROJECTIONS = ("o_proj", "out_proj", "c_proj", "dense", "wo")
MLPS = ("mlp", "feed_forward", "ffn", "block_sparse_moe")
"""The names of these modules in a layer of transformers' models, the first that exists."""


def parse_location(text: str) -> str:
    """Return a location by its name. Raises QprobeError for an unknown one."""
    if text not in LOCATIONS:
        near = difflib.get_close_matches(text, LOCATIONS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise QprobeError(f"Unknown location {text!r}. Choose from {', '.join(LOCATIONS)}.{hint}")
    return text


def check_location(location: str, layers: tuple[int, ...], *, causal: bool) -> None:
    """Raise QprobeError for a part of an encoder, and for one of layer 0, the embedding."""
    if location != RESIDUAL and not causal:
        raise QprobeError(f"--location {location} is about causal models: choose --location {RESIDUAL} for an encoder.")
    if location != RESIDUAL and 0 in layers:
        raise QprobeError(f"Layer 0 is the embedding and has no --location {location}: choose layers from 1 on.")


def width_of(config: Any, location: str) -> int:  # noqa: ANN401 - transformers' own
    """Return the width of a hidden state, from the configuration."""
    if location != HEADS:
        return int(config.hidden_size)
    heads = int(config.num_attention_heads)
    size = getattr(config, "v_head_dim", None) or getattr(config, "head_dim", None) or config.hidden_size // heads
    return heads * int(size)


def watched(block: nn.Module, location: str) -> tuple[nn.Module, bool]:
    """Return the module to watch in a layer, and whether its input is meant, not its output. Raises QprobeError."""
    if location == MLP:
        part = _part(block, MLPS, location)
        if "residual" in inspect.signature(part.forward).parameters:
            raise _unknown(part, location)  # it adds the residual stream to its output (Bloom)
        return part, False
    return _part(_part(block, ATTENTIONS, location), PROJECTIONS, location), True


def _part(module: nn.Module, names: tuple[str, ...], location: str) -> nn.Module:
    for name in names:
        part = getattr(module, name, None)
        if isinstance(part, nn.Module):
            return part
    raise _unknown(module, location)


def _unknown(module: nn.Module, location: str) -> QprobeError:
    return QprobeError(
        f"{type(module).__name__} keeps its parts in an unknown way, and --location {location} cannot be read: "
        f"choose --location {RESIDUAL}."
    )
