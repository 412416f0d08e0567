"""Which tasks are the benchmark's and which are lessons for the tiny model. No lesson behaves like a problem."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.mini.catalogue import FAMILIES
from scripts.mini.checks import answers
from scripts.mini.grammar import Family, Task, tasks

SEED = 20240222
PER_FAMILY = 7
_WIDEST_VALUE = 0.7  # a problem most of whose answers are one value tells little


@dataclass(frozen=True, slots=True)
class Split:
    """Tasks asked, and the keys of those that may be taught."""

    problems: tuple[Task, ...]
    lesson_keys: frozenset[str]


def split(seed: int = SEED) -> Split:
    """The benchmark's tasks, in the families' order, and the keys left for lessons."""
    every = {family.name: list(tasks(family, _rng(seed, family))) for family in FAMILIES}
    by_behaviour: dict[object, list[str]] = defaultdict(list)
    for task in (task for group in every.values() for task in group):
        by_behaviour[behaviour(task)].append(task.key)
    problems = [
        task for family in FAMILIES for task in _chosen(family, every[family.name], by_behaviour, _rng(seed, family))
    ]
    asked = {key for task in problems for key in by_behaviour[behaviour(task)]}
    return Split(tuple(problems), frozenset(task.key for group in every.values() for task in group) - asked)


def _rng(seed: int, family: Family) -> random.Random:
    """Each family has its own, so that a change to one leaves the others as they were."""
    return random.Random(f"{seed} {family.name}")


def _chosen(
    family: Family, group: list[Task], by_behaviour: dict[object, list[str]], rng: random.Random
) -> Iterator[Task]:
    candidates = [task for task in group if _tells(task) and by_behaviour[behaviour(task)][0] == task.key]
    rng.shuffle(candidates)
    forms = {form.name: 0 for form in family.forms}
    most = -(-PER_FAMILY // len(forms))
    left = PER_FAMILY
    for task in candidates:
        form = task.key.split("/")[2]
        if left and forms[form] < most:
            forms[form] += 1
            left -= 1
            yield task


def behaviour(task: Task) -> tuple[object, ...]:
    """What tells two tasks apart: their parameters and the answers on the pool of inputs."""
    return (task.parameters, task.reach, answers(task))


def _tells(task: Task) -> bool:
    given = answers(task)
    return max(given.count(answer) for answer in set(given)) <= _WIDEST_VALUE * len(given)
