"""Tests for a task: few, plain, and such that no single slip survives them."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from scripts.mini.behaviour import Arguments, outputs
from scripts.mini.choices import right, single_slips
from scripts.mini.grammar import Task
from scripts.mini.inputs import arguments

LEAST = 6  # asserts a problem
_CONSTANTS = ("None", "0", "1", "-1", "True", "False", '""', "[]", "{}")


def check_source(task: Task, rivals: Sequence[Task]) -> str:
    """Source of `check(candidate)`: the fewest inputs, plainest first, that fail every wrong program we know."""
    inputs = arguments(task.parameters, task.reach)
    meant = answers(task)
    asserts = (
        f"    assert candidate({_spelt(inputs[i])}) == {meant[i].partition(' ')[2]}\n" for i in chosen(task, rivals)
    )
    return "def check(candidate):\n" + "".join(asserts)


def chosen(task: Task, rivals: Sequence[Task]) -> list[int]:
    """The places of the chosen inputs. Greedy: the input that fails most of the wrong programs still alive."""
    inputs = arguments(task.parameters, task.reach)
    alive = [wrong for wrong in _failures(task, rivals) if wrong]  # what no input tells from the right program is right
    distinct = [i for i, arguments_ in enumerate(inputs) if arguments_ not in inputs[:i]]
    picked = distinct[:1]
    while len(picked) < LEAST or any(wrong.isdisjoint(picked) for wrong in alive):
        still = [wrong for wrong in alive if wrong.isdisjoint(picked)] or alive
        picked.append(max(set(distinct) - set(picked), key=lambda i: (sum(i in wrong for wrong in still), -i)))
    return sorted(picked)


@lru_cache(maxsize=8192)
def answers(task: Task) -> tuple[str, ...]:
    """The right answers on the task's inputs."""
    program = task.prompt + right(task.bodies[0])
    return outputs(program, task.entry_point, arguments(task.parameters, task.reach))


def wrong_programs(task: Task) -> Iterator[str]:
    """Every program with one slip, and the trivial ones: a constant, an argument given back, nothing at all."""
    for body in task.bodies:
        yield from (task.prompt + slip for slip in single_slips(body))
    for value in (*_CONSTANTS, *task.parameters):
        yield task.prompt + f"    return {value}\n"


def _failures(task: Task, rivals: Sequence[Task]) -> Iterator[frozenset[int]]:
    """For each wrong program and each rival's right one, the places of the inputs that it answers wrongly."""
    inputs, meant = arguments(task.parameters, task.reach), answers(task)
    programs = dict.fromkeys(wrong_programs(task), task.entry_point)
    for rival in rivals:
        if rival.parameters == task.parameters and rival != task:
            programs[rival.prompt + right(rival.bodies[0])] = rival.entry_point
    for program, entry_point in programs.items():
        given = outputs(program, entry_point, inputs)
        yield frozenset(i for i in range(len(inputs)) if _compared(given[i]) != _compared(meant[i]))


def _compared(answer: str) -> str:
    """The answer as `==` sees it, to which True is 1."""
    return {"bool True": "int 1", "bool False": "int 0"}.get(answer, answer)


def _spelt(inputs: Arguments) -> str:
    return ", ".join(repr(value) for value in inputs)
