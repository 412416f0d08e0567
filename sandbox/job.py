"""The vocabulary of the sandbox: what is run, within which limits, and what became of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Literal, Protocol, Self

from sandbox.errors import SandboxError as SandboxError


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one program. CPU time decides a timeout; wall time only guards against a program that sleeps."""

    cpu_seconds: float = 3.0
    wall_seconds: float = 15.0
    call_seconds: float = 0.0  # CPU seconds of each call that the tests make; 0 without such a limit
    memory_bytes: int = 512 * 2**20
    processes: int = 64
    file_bytes: int = 32 * 2**20
    output_bytes: int = 16 * 2**20  # the longest answer to a test, or what a whole program may print a case


class Status(StrEnum):
    """The end of a job. Only PASSED earns a reward of 1; the last three earn none at all."""

    PASSED = "passed"
    FAILED = "failed"  # a test did not hold
    ERROR = "error"  # an exception came out of the program or of its tests
    SYNTAX = "syntax"  # the program does not compile
    TIMEOUT = "timeout"
    MEMORY = "memory"
    EXITED = "exited"  # the program left, or was killed, before its tests had ended
    UNTESTED = "untested"  # not one test ran: a fault of the problem, never a reward
    UNSUPPORTED = "unsupported"  # its tests need what their mode has not, which the detail names: never a reward
    BROKEN = "broken"  # the sandbox itself failed each time it was tried: never a reward


UNGRADED = frozenset({Status.UNTESTED, Status.UNSUPPORTED, Status.BROKEN})
"""The statuses that say nothing about the program."""


Mode = Literal["separate", "live", "evaluating", "shared"]
"""The trust that a problem's tests have in a program.

- "separate": the tests run in a separate process, and only plain data, functions and iterators reach them.
- "live": so do they, but where the reference answers with objects of classes it defines, they may ask the program's
  objects for attributes and methods, which may lie.
- "evaluating": they evaluate what the program answers (`eval`, `pickle`), and more than plain values come of it. The
  process that they run in is thrown away; the answer may do anything to it, and to this verdict.
- "shared": the tests run in the program's own process, which may do anything to them.
"""

MODES: tuple[Mode, ...] = ("separate", "live", "evaluating", "shared")

ANY = "*"
"""In `Job.asked` and `Job.objects`: every name, every place."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program and the tests it must pass.

    `tests` is Python source: it defines `check(candidate)`, which is called with the function named `entry_point`, or
    unittest's classes, or functions whose names begin with "test"; or it consists of plain assertions. `setup` runs
    before the tests (imports and helpers of the problem; never shown to the program).

    Where `language` is named, `program` is run as a whole, once a case, and `tests` come from `cases.program_tests`;
    the limits then hold for each case, and only `key` and `limits` mean anything besides.

    All from `mode` on are properties of the problem, never of the program: see `plan_grading`.
    """

    key: str
    program: str
    tests: str
    entry_point: str | None = None
    setup: str = ""
    limits: Limits = field(default_factory=Limits)
    mode: Mode = "separate"
    by_reference: bool = False  # the tests look at what the program did to its arguments: copies will not do
    language: str = ""  # of a whole program: "python", "javascript"; "" where functions are called
    graph: bool = True  # arguments and results keep identity and changes; else they cross as copies
    reference: str = ""  # source whose names the tests may use; what the program binds to those names is not seen
    asked: tuple[str, ...] = (ANY,)  # names besides the entry point that come from the program
    objects: tuple[str, ...] = ()  # of "live": the places where the program may answer with its own objects
    asks_classes: bool = False  # classes that tests use come from the program, though the reference has them
    apart: bool = False  # of "shared": the program must pass with its tests in another process, too
    unsure: bool = False  # no reference shows how far these settings go: what fails for their sake is UNSUPPORTED
    forced: Mode | None = None  # the one mode that `plan_grading` may choose
    trace: bool = False  # say in the detail of a pass what was used of all this
    seed: int | None = None  # of the random numbers of the tests; None draws one that no program can know


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one job."""

    status: Status
    detail: str = ""  # one line: the failing assertion, the exception, the signal
    cpu_seconds: float = 0.0  # for a whole program, of its slowest case
    wall_seconds: float = 0.0  # as above
    mode: Mode = "separate"

    @property
    def reward(self) -> float | None:
        """1.0 for a pass, 0.0 for any failure of the program, None where the sandbox or the problem is to blame."""
        if self.status in UNGRADED:
            return None
        return 1.0 if self.status is Status.PASSED else 0.0


class Sandbox(Protocol):
    """Runs jobs. Every backend passes the contract suite in `tests/`."""

    @property
    def identity(self) -> str:
        """Changes whenever a verdict might: a digest of the image and of the guest's code."""
        ...

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Yield each job with its outcome, as they end, in any order. Lazy in `jobs`; memory does not grow with them.

        Raises SandboxError when no more jobs can be run at all. Leaving the loop early stops what is running.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
