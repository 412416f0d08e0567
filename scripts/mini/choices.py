"""Program text with choice points: `total ‹+=|-=› x` is right as `total += x` and slips as `total -= x`.

The first alternative of a point is the right one. Points nest: `‹if x ‹>|>=› 0|›` may lose the whole condition.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator

_POINT = re.compile(r"‹([^‹›]*)›")  # an innermost point

Choose = Callable[[int], int]  # the number of alternatives -> the index of one


def resolve(text: str, choose: Choose) -> str:
    """The text with every point replaced by one of its alternatives, innermost first, left to right."""
    while (point := _POINT.search(text)) is not None:
        options = point[1].split("|")
        text = text[: point.start()] + options[choose(len(options))] + text[point.end() :]
    return text


def right(text: str) -> str:
    """The text as meant."""
    return resolve(text, lambda _: 0)


def single_slips(text: str) -> Iterator[str]:
    """Every text with exactly one slip."""
    for place, size in enumerate(_sizes(text)):
        for option in range(1, size):
            yield resolve(text, _only(place, option))


def _sizes(text: str) -> list[int]:
    sizes: list[int] = []

    def first(size: int) -> int:
        sizes.append(size)
        return 0

    resolve(text, first)
    return sizes


def _only(place: int, option: int) -> Choose:
    places = itertools.count()
    return lambda _: option if next(places) == place else 0


def slipping(text: str, rate: float, rng: random.Random) -> str:
    """The text written by someone who slips at each point with probability `rate`."""
    return resolve(text, lambda size: rng.randrange(1, size) if rng.random() < rate else 0)
