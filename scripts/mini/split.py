"""The tasks, split between the benchmark and the tiny model's lessons. No lesson behaves like a problem."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from scripts.mini.behaviour import shown
from scripts.mini.catalogue import families
from scripts.mini.checks import answers
from scripts.mini.grammar import Family, Task, tasks
from scripts.mini.inputs import arguments

SEED = 20240222
PER_FAMILY = 7
_WIDEST_VALUE = 0.7  # a problem most of whose answers are one value tells little
_FEWEST_VALUES = 3  # unless it asks for a truth value


@dataclass(frozen=True)
class Split:
    """Tasks asked, and what may be taught."""

    problems: tuple[Task, ...]
    lesson_keys: frozenset[str]

    def may_teach(self, task: Task) -> bool:
        """Return whether no problem has the task's key or, whatever the constants, its behaviour."""
        return task.key in self.lesson_keys and behaviour(task) not in self.asked

    @cached_property
    def asked(self) -> frozenset[object]:
        """The problems' behaviours."""
        return frozenset(map(behaviour, self.problems))


def split(seed: int = SEED) -> Split:
    """The benchmark's tasks, in the families' order, and the keys left for lessons."""
    every = {family.name: [*filter(_asks, tasks(family, _rng(seed, family)))] for family in families()}
    by_behaviour: dict[object, list[str]] = defaultdict(list)
    for task in (task for group in every.values() for task in group):
        by_behaviour[behaviour(task)].append(task.key)
    problems = [
        task for family in families() for task in _chosen(family, every[family.name], by_behaviour, _rng(seed, family))
    ]
    problemkeys = {key for task in problems for key in by_behaviour[behaviour(task)]}
    return Split(tuple(problems), frozenset(task.key for group in every.values() for task in group) - problemkeys)


def _rng(seed: int, family: Family) -> random.Random:
    """Each family has its own, so that a change to one leaves the others as they were."""
    return random.Random(f"{seed} {family.name}")


def _chosen(
    family: Family, group: list[Task], by_behaviour: dict[object, list[str]], rng: random.Random
) -> Iterator[Task]:
    """PER_FAMILY tasks at random, no form much oftener than another; of those that behave alike, the first."""
    candidates = [task for task in group if _tells(task) and by_behaviour[behaviour(task)][0] == task.key]
    rng.shuffle(candidates)
    most = -(-PER_FAMILY // len(family.forms))
    by_form: Counter[str] = Counter()
    for task in candidates:
        if by_form.total() < PER_FAMILY and by_form[task.form] < most:
            by_form[task.form] += 1
            yield task


def behaviour(task: Task) -> tuple[object, ...]:
    """Return the behaviour that tells two tasks apart: their parameters and the answers on the pool of inputs."""
    return (task.parameters, task.reach, answers(task))


def _asks(task: Task) -> bool:
    """Return whether the task asks for work: no constant or argument ("the digits in uppercase") answers it."""
    given = answers(task)
    arguments_given_back = zip(*arguments(task.parameters, task.reach), strict=True)
    return len(set(given)) > 1 and all(given != tuple(map(shown, column)) for column in arguments_given_back)


def _tells(task: Task) -> bool:
    given = answers(task)
    if len(set(given)) < _FEWEST_VALUES and not given[0].startswith("bool"):
        return False
    return max(given.count(answer) for answer in set(given)) <= _WIDEST_VALUE * len(given)
