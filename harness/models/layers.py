"""Which layers and poolings to keep: from what a user writes to numbers."""

from harness.errors import QprobeError

POOLINGS = ("last", "mean", "prompt")
"""last: the last token of the completion; mean: over the completion's tokens; prompt: the last token of the prompt."""


def parse_layers(text: str, layers: int) -> tuple[int, ...]:
    """`all`, layer numbers (0 = the embedding, `layers` = the last, negative from the end) or fractions of the depth.

    Raises QprobeError for a layer the model does not have.
    """
    if text == "all":
        return tuple(range(layers + 1))
    return tuple(dict.fromkeys(_layer(part.strip(), layers) for part in text.split(",")))


def _layer(part: str, layers: int) -> int:
    try:
        number = round(float(part) * layers) if "." in part else int(part)
    except ValueError as error:
        raise QprobeError(f"{part!r} is no layer: give numbers, fractions such as 0.8, or all.") from error
    number += (layers + 1) * (number < 0)
    if not 0 <= number <= layers:
        raise QprobeError(f"There is no layer {part}: this model has the layers 0 (the embedding) to {layers}.")
    return number


def parse_poolings(text: str) -> tuple[str, ...]:
    """Names of poolings, separated by commas. Raises QprobeError for an unknown one."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in POOLINGS:
            raise QprobeError(f"There is no pooling {name!r}: there are {', '.join(POOLINGS)}.")
    return names


def default_layer(layers: int, *, causal: bool) -> str:
    """The paper's depth, layer 26 of 32, for causal models; the last layer for encoders."""
    return str(round(layers * 26 / 32)) if causal else str(layers)
