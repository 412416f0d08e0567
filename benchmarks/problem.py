"""A problem, and the protocol of a benchmark."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from sandbox import Job, Limits


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a benchmark. A program solves it by passing `tests`."""

    id: str  # unique within the benchmark: "HumanEval/0", "MBPP/11"
    prompt: str  # the text that a completion model continues
    entry_point: str  # the name of the required function; "" for a whole program
    tests: str  # Python source: defines check(candidate), or plain assertions; for a whole program: its cases as text
    solution: str = ""  # a whole reference program, prompt included where the prompt is code; "" if unknown
    setup: str = ""  # source run before the tests, in the tests' own process
    split: str = "test"
    stop: tuple[str, ...] = ()  # the completion ends before the first of these
    language: str = ""  # of a whole program, whose tests `sandbox.cases.program_tests` made; "" for a function
    base_tests: str = ""  # the original tests, where `tests` adds to them; both verdicts are kept

    def job(self, program: str, limits: Limits, key: str | None = None) -> Job:
        """Return the sandbox's job of running `program` against the tests; its key is `key`, by default the id."""
        name, entry_point = self.id if key is None else key, self.entry_point or None
        return Job(name, program, self.tests, entry_point, self.setup, limits, language=self.language)

    def base(self) -> "Problem":
        """Return the problem with its original tests."""
        return replace(self, tests=self.base_tests, base_tests="")


def problems_digest(problems: Sequence[Problem]) -> str:
    """Return a sha256 over all fields of all problems."""
    return hashlib.sha256(json.dumps([asdict(problem) for problem in problems]).encode()).hexdigest()


class Benchmark(Protocol):
    """A named set of problems.

    Optional members: `licence`, a text for `qprobe benchmarks show`; `fetch()`, which caches the data on this machine
    and returns its path, for `qprobe benchmarks fetch`; `left_out`, the rows that could not be read, with the reasons.
    """

    name: str

    def problems(self) -> Sequence[Problem]:
        """Return all problems, in the benchmark's order. Raises BenchmarkError where the data is not available."""
        ...

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """Return the whole program to run, from the raw text of a completion of `prompt`. Must be pure."""
        ...


class BenchmarkError(Exception):
    """A benchmark cannot be used for a reason that its user can fix; the message says how."""
