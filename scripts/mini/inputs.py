"""The inputs on which problems are tried: for each parameter a pool of values, short and odd ones first."""

import random
from collections.abc import Callable
from functools import cache

_STRINGS = (
    "",
    "a",
    "A",
    "7",
    " ",
    "ab",
    "aBc",
    "level",
    "Hello World",
    "a1b2c3",
    "noon at Nine",
    "xyz xyz  abc",
    "The Quick brown Fox",
    "123 go",
    "MADAM in EDEN",
    "s-t, u. v!",
    "aab bbc  Cca",
    "to be or not to Be",
    "Anna saw 22 stats",
    "x",
    "tattoo",
    "UPPER lower 99",
    "a b c d e",
    "zzz",
    "civic duty is a Test",
    "Otto e",
)

_TOKENS = ("a", "b", "e", "t", "s", " ", "x", "A", "1", "n")


COUNT = 60


@cache
def arguments(parameters: tuple[str, ...], reach: tuple[int, int]) -> tuple[tuple[object, ...], ...]:
    """Argument tuples for a function of these parameters: always the same ones, the plainest first."""
    rng = random.Random(f"{parameters} {reach}")
    return tuple(tuple(_draw(name, place, reach, rng) for name in parameters) for place in range(COUNT))


def _draw(name: str, place: int, reach: tuple[int, int], rng: random.Random) -> object:
    if name in _POOLS:
        return _POOLS[name](place, rng)
    least, greatest = reach
    return rng.choice((rng.randint(least, greatest), rng.randint(least, min(greatest, least + 12)), least))


def _numbers(place: int, rng: random.Random) -> list[int]:
    short: tuple[list[int], ...] = ([], [0], [3], [-2], [1, 2], [2, 2], [5, 4, 3], [-1, 0, 1])
    if place < len(short):
        return list(short[place])
    reach = 6 if place % 2 else 12
    numbers = [rng.randint(-reach, reach) for _ in range(rng.randint(3, 8))]
    return numbers + numbers[:1] if place % 5 == 0 else numbers


def _string(place: int, rng: random.Random) -> str:
    return _STRINGS[place] if place < len(_STRINGS) else " ".join(rng.sample(" ".join(_STRINGS).split(), 3))


def _token(place: int, rng: random.Random) -> str:
    return rng.choice(_TOKENS)


_POOLS: dict[str, Callable[[int, random.Random], object]] = {
    "xs": _numbers,
    "ys": _numbers,
    "s": _string,
    "t": _token,
}
