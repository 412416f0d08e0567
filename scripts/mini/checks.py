"""Tests for a task: few, plain, and such that no single slip survives them."""

from collections.abc import Iterator

from scripts.mini.behaviour import Arguments, outputs
from scripts.mini.choices import right, single_slips
from scripts.mini.grammar import Task
from scripts.mini.inputs import arguments

LEAST = 6  # asserts a problem
_CONSTANTS = ("None", "0", "1", "-1", "True", "False", '""', "[]", "{}")


def check_source(task: Task) -> str:
    """Source of `check(candidate)`: the fewest inputs, plainest first, that fail every wrong program we know."""
    inputs = arguments(task.parameters, task.reach)
    meant = outputs(task.prompt + right(task.bodies[0]), task.entry_point, inputs)
    asserts = (f"    assert candidate({_spelt(inputs[i])}) == {meant[i].partition(' ')[2]}\n" for i in chosen(task))
    return "def check(candidate):\n" + "".join(asserts)


def chosen(task: Task) -> list[int]:
    """The places of the chosen inputs. Greedy: the input that fails most of the wrong programs still alive."""
    inputs = arguments(task.parameters, task.reach)
    meant = outputs(task.prompt + right(task.bodies[0]), task.entry_point, inputs)
    alive = [_failures(task, program, inputs, meant) for program in wrong_programs(task)]
    alive = [failures for failures in alive if failures]  # what no input tells from the right program is right
    distinct = [i for i, arguments_ in enumerate(inputs) if arguments_ not in inputs[:i]]
    picked = distinct[:1]
    while len(picked) < LEAST or any(failures.isdisjoint(picked) for failures in alive):
        still = [failures for failures in alive if failures.isdisjoint(picked)] or alive
        picked.append(max(set(distinct) - set(picked), key=lambda i: (sum(i in fails for fails in still), -i)))
    return sorted(picked)


def wrong_programs(task: Task) -> Iterator[str]:
    """Every program with one slip, and the trivial ones: a constant, an argument given back, nothing at all."""
    for body in task.bodies:
        yield from (task.prompt + slip for slip in single_slips(body))
    for value in (*_CONSTANTS, *task.parameters):
        yield task.prompt + f"    return {value}\n"


def _failures(task: Task, program: str, inputs: list[Arguments], meant: tuple[str, ...]) -> frozenset[int]:
    answers = outputs(program, task.entry_point, inputs)
    return frozenset(i for i, (answer, wanted) in enumerate(zip(answers, meant, strict=True)) if answer != wanted)


def _spelt(inputs: Arguments) -> str:
    return ", ".join(repr(value) for value in inputs)
