"""Grade very many different programs in one run, and print the rate and the memory as they go by.

    python -m scripts.bench_grading_size                                   # 194,800 tiny programs, 200 of each problem
    python -m scripts.bench_grading_size --mbpp FILE                       # 974 problems of MBPP x 200
    python -m scripts.bench_grading_size --count 1000000                   # a soak

Half of the programs are the reference with a comment, which pass; the others return something wrong, raise, or do not
compile. No two of a problem are equal, so that each is run. Rates depend on what else the machine does: beside them are
the processor time per program, of this process and of the guests, and the load. Memory is the most within each tenth:
of this process what no file backs, of the guests what their containers are charged for, without caches of files. Ends
with status 1 where a problem has another number of passing programs than it should.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from benchmarks import Problem
from benchmarks.registry import open_benchmark
from harness.progress import Advance, ignore
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.grade import Budget, grade
from sandbox import open_sandbox
from scripts.guests import GuestMeter, meter
from scripts.memory import memory_bytes

EACH = 200
TENTHS = 10
LOOK_SECONDS = 1.0


def main() -> int:
    """Make the run, grade it, and print the table."""
    options = parse()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="qprobe-size-", dir=options.folder) as folder:
        store = Store(Path(folder) / "run", create=True)
        fill(store, problems_of(options.mbpp, options.count), options.count)
        with open_sandbox(options.sandbox, options.workers) as sandbox, meter(options.sandbox) as guests:
            watch = Watch(options.count, guests)
            graded = grade(store, sandbox, Budget(), watch)
        wrong = wrong_counts(store, graded.grader)
        megabytes = sum(file.stat().st_size for file in store.folder.iterdir()) / 1e6
        store.close()
    print(f"{graded.new:,} graded, {graded.broken} broken; {megabytes:.0f} MB on disk")
    print(f"problems with another number of passing programs than expected: {len(wrong)} {', '.join(wrong[:5])}")
    print(watch.changes())
    return int(bool(wrong or graded.broken))


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mbpp", type=Path, help="the authors' mbpp.jsonl; without it, small problems")
    parser.add_argument("--count", type=int, default=974 * EACH, help="programs in all")
    parser.add_argument("--sandbox", choices=["docker", "process"], default="docker")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--folder", type=Path, help="folder for the temporary run")
    return parser.parse_args()


# -- the programs ------------------------------------------------------------------------------------------------------


def problems_of(mbpp: Path | None, count: int) -> Iterator[Problem]:
    """Problems for so many programs: MBPP's, again and again under further ids, or small ones."""
    originals = open_benchmark(f"mbpp:{mbpp}").problems() if mbpp else [small_problem(n) for n in range(97)]
    for number in range(-(-count // EACH)):
        copy, place = divmod(number, len(originals))
        problem = originals[place]
        yield replace(problem, id=f"{problem.id}~{copy}") if copy else problem


def small_problem(number: int) -> Problem:
    """A problem of one line."""
    tests = f"assert f(2) == {2 * number}\nassert f(-1) == {-number}"
    return Problem(f"small/{number}", "def f(x):\n", "f", tests, f"def f(x):\n    return x * {number}\n")


def fill(store: Store, problems: Iterator[Problem], count: int) -> None:
    """Put so many programs into a run, a problem at a time."""
    store.add_problems(problems)
    for first, problem in zip(range(0, count, EACH), store.problems(), strict=True):
        store.add_completions(completions(problem, min(EACH, count - first)))


def completions(problem: Problem, count: int) -> Iterator[Completion]:
    """Different programs for one problem, every other right."""
    for n in range(count):
        program = right(problem, n) if n % 2 == 0 else WRONG[n // 2 % len(WRONG)](problem, n)
        yield Completion(problem.id, n, problem.prompt, program, program)


def right(problem: Problem, number: int) -> str:
    """The reference, unlike all others by a comment."""
    return f"{problem.solution}\n# {number}\n"


def answers_wrong(problem: Problem, number: int) -> str:
    """The reference, replaced by a function of a wrong answer."""
    return f"{problem.solution}\ndef {problem.entry_point}(*_):\n    return ['wrong', {number}]\n"


def raises(problem: Problem, number: int) -> str:
    """A function that raises."""
    return f"def {problem.entry_point}(*values):\n    raise ValueError({number})\n"


def does_not_compile(problem: Problem, number: int) -> str:
    """A program that ends too early."""
    return f"{problem.solution}\nif {number}:\n"


WRONG = (answers_wrong, raises, does_not_compile)


def wrong_counts(store: Store, grader: str) -> list[str]:
    """Return the problems of which another number of programs passed than are right."""
    drawn = Counter(sample.problem_id for sample in store.sample_ids())
    passes = store.passes(grader)
    return [name for name, count in drawn.items() if passes.get(name, 0) != -(-count // 2)]


# -- what is measured --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """The time used up to one moment, and the memory held then."""

    programs: int
    seconds: float
    cpu: float  # of this process
    guests_cpu: float
    held: int
    guests_held: int


class Tenth(NamedTuple):
    """The cost of a tenth of the programs."""

    rate: float
    cpu_ms: float  # per program, of this process
    guests_ms: float
    held: float  # the most, in MiB
    guests_held: float
    load: float

    @classmethod
    def of(cls, looks: Sequence[Look]) -> "Tenth":
        """Take it from the looks of its time, those at both ends included."""
        first, last = looks[0], looks[-1]
        programs = last.programs - first.programs
        return cls(
            programs / (last.seconds - first.seconds),
            1e3 * (last.cpu - first.cpu) / programs,
            1e3 * (last.guests_cpu - first.guests_cpu) / programs,
            max(look.held for look in looks) / 2**20,
            max(look.guests_held for look in looks) / 2**20,
            os.getloadavg()[0],
        )


HEADER = "   programs      /s  ms, here  ms, guests  MiB here  MiB guests  load"
ROW = "{:11,} {:7.1f} {:9.2f} {:11.2f} {:9.1f} {:11.1f} {:5.1f}"


@dataclass
class Watch:
    """Progress of a grading that a thread looks at, and prints after each tenth."""

    total: int
    guests: GuestMeter
    tenths: list[Tenth] = field(default_factory=list)
    _done: int = 0
    _looks: list[Look] = field(default_factory=list)  # since the last tenth was full

    def message(self, text: str) -> None:
        """Print what the stage says."""
        print(text, flush=True)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Advance]:
        """Watch the grading; the references, which are run before it, are not watched."""
        if title != "Grading":
            yield ignore
            return
        print(HEADER, flush=True)
        self._look()
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,), daemon=True)
        thread.start()
        try:
            yield self._advance
        finally:
            over.set()
            thread.join()
        self._look()

    def _advance(self, count: int = 1, note: str = "", more: int = 0) -> None:
        self._done += count

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        times = time.monotonic(), time.process_time()
        guests_cpu, guests_held = self.guests.look()
        look = Look(self._done, *times, guests_cpu, memory_bytes("RssAnon"), guests_held)
        self._looks.append(look)
        if look.programs >= self._end_of_tenth() and look.programs > self._looks[0].programs:
            self.tenths.append(Tenth.of(self._looks))
            print(ROW.format(look.programs, *self.tenths[-1]), flush=True)
            self._looks = [look]

    def _end_of_tenth(self) -> int:
        """Return with how many programs the tenth is full in which the looks began."""
        return (self._looks[0].programs * TENTHS // self.total + 1) * self.total // TENTHS

    def changes(self) -> str:
        """Return how the last tenth differs from the second; the first warms up."""
        if len(self.tenths) < 3:
            return "Too few programs to compare tenths: they are graded between two looks."
        second, last = self.tenths[1], self.tenths[-1]
        shares = {name: getattr(last, name) / (getattr(second, name) or 1) - 1 for name in Tenth._fields[:5]}
        return "last tenth against the second: " + ", ".join(f"{name} {share:+.1%}" for name, share in shares.items())


if __name__ == "__main__":
    sys.exit(main())
