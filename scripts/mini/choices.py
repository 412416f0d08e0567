"""Program text with choice points, where programmers slip: `total ‹+=|-=› x` is meant as `total += x`.

The first alternative of a point is the right one. `«0|1»` is a classic: the slip that many make there. Points nest:
`‹if x ‹>|>=› 0|›` may lose the whole condition.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator

_POINT = re.compile(r"[‹«]([^‹›«»]*)[›»]")  # an innermost point

Choose = Callable[[int, bool], int]  # the number of alternatives, whether it is a classic -> the index of one


def resolve(text: str, choose: Choose) -> str:
    """The text with every point replaced by one of its alternatives, innermost first, left to right."""
    while (point := _POINT.search(text)) is not None:
        options = point[1].split("|")
        chosen = options[choose(len(options), point[0].startswith("«"))]
        text = text[: point.start()] + chosen + text[point.end() :]
    return text


def right(text: str) -> str:
    """The text as meant."""
    return resolve(text, lambda size, classic: 0)


def single_slips(text: str) -> Iterator[str]:
    """Every text with exactly one slip."""
    for place, size in enumerate(_sizes(text)):
        for option in range(1, size):
            yield resolve(text, _only(place, option))


def slipping(text: str, classic_rate: float, rate: float, rng: random.Random) -> str:
    """The text written by someone who slips with `classic_rate` at the classics and with `rate` elsewhere."""

    def choose(size: int, classic: bool) -> int:
        return rng.randrange(1, size) if rng.random() < (classic_rate if classic else rate) else 0

    return resolve(text, choose)


def _sizes(text: str) -> list[int]:
    sizes: list[int] = []

    def first(size: int, classic: bool) -> int:
        sizes.append(size)
        return 0

    resolve(text, first)
    return sizes


def _only(place: int, option: int) -> Choose:
    places = itertools.count()
    return lambda size, classic: option if next(places) == place else 0
