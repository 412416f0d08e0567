"""A problem, and the one thing a benchmark must be able to do: list its problems."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sandbox import Job, Limits


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a benchmark. A program solves it when the program passes `tests`."""

    id: str  # unique within the benchmark: "HumanEval/0", "MBPP/11"
    prompt: str  # what a completion model continues
    entry_point: str  # the name of the function asked for
    tests: str  # Python source: defines check(candidate), or plain assertions on the program's own names
    solution: str = ""  # a whole reference program, prompt included where the prompt is code; "" if unknown
    setup: str = ""  # source run before the tests, in the tests' own process
    split: str = "test"
    stop: tuple[str, ...] = ()  # the completion ends before the first of these

    def job(self, program: str, limits: Limits, key: str | None = None) -> Job:
        """`program` before this problem's tests, as the sandbox takes it; known there as `key`, or by the id."""
        return Job(self.id if key is None else key, program, self.tests, self.entry_point, self.setup, limits)


class Benchmark(Protocol):
    """A named set of problems."""

    name: str

    def problems(self) -> Sequence[Problem]:
        """All problems, in the benchmark's own order. Raises BenchmarkError where the data cannot be had."""
        ...

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The whole program to run, from the raw text of a completion of `prompt`. Pure: it can be redone any time."""
        ...


class BenchmarkError(Exception):
    """A benchmark cannot be used, for a reason its user can mend: the message says what to do."""
