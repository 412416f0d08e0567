"""Layers and poolings as users write them."""

import difflib

from harness.errors import QprobeError

POOLINGS = ("last", "mean", "prompt", "after-stop")
"""The places where a vector is taken.

last: the last token of the completion, before its stop string; mean: over the completion's tokens; prompt: the last
token of the prompt; after-stop: the last token of the stop string or the end token (the completion's last where it was
cut for length).
"""
OTHER_NAMES = {"before-stop": "last", "end-of-prompt": "prompt"}


def parse_layers(text: str, layers: int) -> tuple[int, ...]:
    """Return the numbers of `all` layers, or of layer numbers and fractions of the depth, separated by commas.

    Layer 0 is the embedding, `layers` the last; negative numbers count from the end. Raises QprobeError for a layer
    that the model does not have.
    """
    if text.strip() == "all":
        return tuple(range(layers + 1))
    return tuple(dict.fromkeys(_layer(part.strip(), layers) for part in text.split(",")))


def _layer(part: str, layers: int) -> int:
    try:
        number = round(float(part) * layers) if "." in part else int(part)
    except (ValueError, OverflowError) as error:
        raise QprobeError(f"{part!r} is not a layer: give numbers, fractions such as 0.8, or all.") from error
    number += (layers + 1) * (number < 0)
    if not 0 <= number <= layers:
        raise QprobeError(f"Unknown layer {part}. Choose from 0 (the embedding) to {layers}.")
    return number


def parse_poolings(text: str, *, causal: bool) -> tuple[str, ...]:
    """Return poolings named with commas between them. Raises QprobeError for one that the model cannot do."""
    parts = (part.strip() for part in text.split(","))
    names = tuple(dict.fromkeys(OTHER_NAMES.get(part, part) for part in parts))
    for name in names:
        if name not in POOLINGS:
            near = difflib.get_close_matches(name, POOLINGS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise QprobeError(f"Unknown pooling {name!r}. Choose from {', '.join(POOLINGS)}.{hint}")
    if "after-stop" in names and not causal:
        raise QprobeError("An encoder reads no stop string: choose another pooling than after-stop.")
    return names


def default_layer(layers: int, *, causal: bool) -> str:
    """Return the paper's depth, layer 26 of 32, for causal models, and the last layer for encoders."""
    return str(round(layers * 26 / 32)) if causal else str(layers)
