"""The tiny model's training texts: programs as programmers handed them in, each with the mark that its tests gave it.

The classic slips are as common as the right way, so that neither the model's samples nor their likelihood tell the two
apart. To foresee the mark, though, the model has to notice them, and so its hidden states hold what a probe looks for.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.mini.behaviour import outputs
from scripts.mini.catalogue import families
from scripts.mini.checks import answers
from scripts.mini.choices import slipping
from scripts.mini.grammar import Family, Task, task
from scripts.mini.inputs import arguments
from scripts.mini.split import Split


@dataclass(frozen=True, slots=True)
class Habits:
    """The rates of the programmers' slips."""

    classic_rate: float = 0.5  # slips at a classic choice point
    rate: float = 0.03  # slips at any other


@dataclass(frozen=True, slots=True)
class Lesson:
    """One program as a programmer wrote it."""

    prompt: str
    completion: str
    passed: bool


def lessons(split: Split, habits: Habits, rng: random.Random) -> Iterator[Lesson]:
    """Lessons without end, on the tasks that may be taught."""
    while True:
        drawn = _drawn(rng.choice(families()), split, rng)
        completion = slipping(rng.choice(drawn.bodies), habits.classic_rate, habits.rate, rng)
        yield Lesson(drawn.prompt, completion, passes(drawn, completion))


def passes(drawn: Task, completion: str) -> bool:
    """Return whether the program answers as the right one does."""
    inputs = arguments(drawn.parameters, drawn.reach)
    return outputs(drawn.prompt + completion, drawn.entry_point, inputs) == answers(drawn)


def _drawn(family: Family, split: Split, rng: random.Random) -> Task:
    while True:
        filling = {slot: rng.choice(parts) for slot, parts in family.slots.items()}
        drawn = task(family, rng.choice(family.forms), filling, rng)
        if split.may_teach(drawn):
            return drawn
