"""Which layers and poolings to keep: from what a user writes to numbers."""

from harness.errors import QprobeError

POOLINGS = ("last", "mean", "prompt", "after-stop")
"""Where a vector is taken.

last: the last token of the completion, before its stop string; mean: over the completion's tokens; prompt: the last
token of the prompt; after-stop: the last token of the stop string or the end token (the completion's last where it was
cut for length).
"""
OTHER_NAMES = {"before-stop": "last", "end-of-prompt": "prompt"}


def parse_layers(text: str, layers: int) -> tuple[int, ...]:
    """`all`, layer numbers (0 = the embedding, `layers` = the last, negative from the end) or fractions of the depth.

    Raises QprobeError for a layer the model does not have.
    """
    if text.strip() == "all":
        return tuple(range(layers + 1))
    return tuple(dict.fromkeys(_layer(part.strip(), layers) for part in text.split(",")))


def _layer(part: str, layers: int) -> int:
    try:
        number = round(float(part) * layers) if "." in part else int(part)
    except (ValueError, OverflowError) as error:
        raise QprobeError(f"{part!r} is no layer: give numbers, fractions such as 0.8, or all.") from error
    number += (layers + 1) * (number < 0)
    if not 0 <= number <= layers:
        raise QprobeError(f"There is no layer {part}: this model has the layers 0 (the embedding) to {layers}.")
    return number


def parse_poolings(text: str, *, causal: bool) -> tuple[str, ...]:
    """Names of poolings, separated by commas. Raises QprobeError for one that is unknown or that an encoder lacks."""
    parts = (part.strip() for part in text.split(","))
    names = tuple(dict.fromkeys(OTHER_NAMES.get(part, part) for part in parts))
    for name in names:
        if name not in POOLINGS:
            raise QprobeError(f"There is no pooling {name!r}: there are {', '.join(POOLINGS)}.")
    if "after-stop" in names and not causal:
        raise QprobeError("An encoder reads no stop string: choose another pooling than after-stop.")
    return names


def default_layer(layers: int, *, causal: bool) -> str:
    """The paper's depth, layer 26 of 32, for causal models; the last layer for encoders."""
    return str(round(layers * 26 / 32)) if causal else str(layers)
