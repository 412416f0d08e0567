"""What the tiny model reads: files of a few functions by one programmer, careful or careless.

Whoever slipped once slips again. To foresee the next line the model has to notice the slips so far, so what its hidden
states hold of a program includes how it was written: the reason why a probe can tell right programs from wrong ones.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.mini.catalogue import FAMILIES
from scripts.mini.choices import slipping
from scripts.mini.grammar import Family, Task, task


@dataclass(frozen=True, slots=True)
class Habits:
    """How the programmers write."""

    careless: float = 0.6  # share of the careless ones
    careless_rate: float = 0.3  # slips at a choice point
    careful_rate: float = 0.01
    functions: int = 3  # in a file


@dataclass(frozen=True, slots=True)
class Lesson:
    """One function as somebody wrote it."""

    prompt: str
    completion: str


def files(allowed: frozenset[str], habits: Habits, rng: random.Random) -> Iterator[list[Lesson]]:
    """Files without end."""
    families = [family for family in FAMILIES if _size(family) > 0]
    weights = [_size(family) ** 0.5 for family in families]
    while True:
        rate = habits.careless_rate if rng.random() < habits.careless else habits.careful_rate
        chosen = rng.choices(families, weights, k=habits.functions)
        yield [_written(_allowed(family, allowed, rng), rate, rng) for family in chosen]


def _written(task_: Task, rate: float, rng: random.Random) -> Lesson:
    return Lesson(task_.prompt, slipping(rng.choice(task_.bodies), rate, rng))


def _allowed(family: Family, allowed: frozenset[str], rng: random.Random) -> Task:
    while True:
        filling = {slot: rng.choice(parts) for slot, parts in family.slots.items()}
        drawn = task(family, rng.choice(family.forms), filling, rng)
        if drawn.key in allowed:
            return drawn


def _size(family: Family) -> int:
    size = len(family.forms)
    for parts in family.slots.values():
        size *= len(parts)
    return size
