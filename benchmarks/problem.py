"""A problem, and the one thing a benchmark must be able to do: list its problems."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from sandbox import Job, Limits
from sandbox.errors import QprobeError


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a benchmark. A program solves it when the program passes `tests`."""

    id: str  # unique within the benchmark: "HumanEval/0", "MBPP/11"
    prompt: str  # what a completion model continues
    entry_point: str  # the name of the function asked for; "" where a whole program is
    tests: str  # Python source: defines check(candidate), or plain assertions; of a whole program: its cases as text
    solution: str = ""  # a whole reference program, prompt included where the prompt is code; "" if unknown
    setup: str = ""  # source run before the tests, in the tests' own process
    split: str = "test"
    stop: tuple[str, ...] = ()  # the completion ends before the first of these
    language: str = ""  # of a whole program, whose tests `sandbox.cases.program_tests` made; "" for a function
    timeout: float = 0.0  # CPU seconds by the benchmark's own convention; 0 where it has none
    base_tests: str = ""  # the original tests, where `tests` adds to them: their verdicts are kept beside

    def job(self, program: str, limits: Limits, key: str | None = None) -> Job:
        """`program` before this problem's tests, as the sandbox takes it; known there as `key`, or by the id."""
        name, entry_point = self.id if key is None else key, self.entry_point or None
        return Job(name, program, self.tests, entry_point, self.setup, limits, language=self.language)

    def base(self) -> "Problem":
        """The problem as it was before tests were added to it."""
        return replace(self, tests=self.base_tests, base_tests="")


def problems_digest(problems: Sequence[Problem]) -> str:
    """A sha256 over all that problems say: where it is the same, they are."""
    return hashlib.sha256(json.dumps([asdict(problem) for problem in problems]).encode()).hexdigest()


class Benchmark(Protocol):
    """A named set of problems.

    May have more: `licence`, a text that `qprobe benchmarks show` shows, and `fetch()`, which keeps the data on this
    machine and returns where, for `qprobe benchmarks fetch`.
    """

    name: str

    def problems(self) -> Sequence[Problem]:
        """All problems, in the benchmark's own order. Raises BenchmarkError where the data cannot be had."""
        ...

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The whole program to run, from the raw text of a completion of `prompt`. Pure: it can be redone any time."""
        ...


class BenchmarkError(QprobeError):
    """A benchmark cannot be used: it is unknown, or its data cannot be had or read."""
