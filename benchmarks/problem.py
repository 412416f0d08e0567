"""A problem, and the protocol of a benchmark."""

import ast
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

from sandbox import Job, Limits
from sandbox.errors import QprobeError
from sandbox.job import ANY
from sandbox.tests_reading import parse


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
    timeout: float = 0.0  # CPU seconds by the benchmark's own convention; 0 where it has none
    call_timeout: float = 0.0  # CPU seconds that each call of the tests may take, as above
    base_tests: str = ""  # the original tests, where `tests` adds to them; both verdicts are kept
    mode: str = ""  # the one `sandbox.job.Mode` to grade in; "" where tests and solution decide

    def job(self, program: str, limits: Limits, key: str | None = None) -> Job:
        """Return the sandbox's job of running `program` against the tests; its key is `key`, by default the id."""
        name, entry_point = self.id if key is None else key, self.entry_point or None
        job = Job(name, program, self.tests, entry_point, self.setup, limits, language=self.language)
        if self.language:
            return job
        forced: Any = self.mode or None
        return replace(job, asked=asked_names(self.prompt, self.solution), objects=self._objects(), forced=forced)

    def _objects(self) -> tuple[str, ...]:
        """The places where a program may answer with objects, as far as the prompt says: everywhere, of a class."""
        return (ANY,) if re.search(rf"^class\s+{self.entry_point}\b", self.prompt, re.MULTILINE) else ()

    def base(self) -> "Problem":
        """Return the problem with its original tests."""
        return replace(self, tests=self.base_tests, base_tests="")


@lru_cache(maxsize=4096)
def asked_names(prompt: str, solution: str = "") -> tuple[str, ...]:
    """The functions and classes that a prompt asks for.

    Those that it begins and leaves without a body, and those of the solution that it names as code: `name`, name(...).
    """
    ends = ("", "\n    pass\n", "\n        pass\n")
    tree = next((tree for end in ends if (tree := parse(prompt.rstrip() + end)) is not None), None)
    shown = {node.name: node for node in tree.body if isinstance(node, _DEFINITION)} if tree else {}
    named = re.compile(r"`(\w+)[`(]|\b(\w+)\(")
    mentioned = {name for pair in named.findall(prompt) for name in pair if name}
    solved = parse(solution)
    defined = [node.name for node in solved.body if isinstance(node, _DEFINITION)] if solved else []
    begun = [name for name, node in shown.items() if _is_empty(node)]
    return tuple(dict.fromkeys((*begun, *(name for name in defined if name in mentioned and name not in shown))))


_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_empty(node: ast.stmt) -> bool:
    """Return whether a statement is only a placeholder: a docstring, `pass`, `...`, `raise NotImplementedError`."""
    if isinstance(node, _DEFINITION):
        return all(map(_is_empty, node.body))
    if isinstance(node, ast.Raise):
        return "NotImplemented" in ast.unparse(node)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def problems_digest(problems: Sequence[Problem]) -> str:
    """Return a sha256 over all fields of all problems."""
    fields = [asdict(problem) for problem in problems]
    # Left out where it is not used, so that problem sets of earlier versions keep their digests.
    fields = [{name: value for name, value in row.items() if value or name != "call_timeout"} for row in fields]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


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


class BenchmarkError(QprobeError):
    """A benchmark cannot be used: it is unknown, or its data cannot be had or read."""
