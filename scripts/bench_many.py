"""Cost against the number of programs: `python -m scripts.bench_many --many 100000`.

HumanEval's references, over and over, in one call of `run`: the first thousand apart, then each tenth of the rest, with
programs graded per second and the memory that this process holds.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from sandbox import Job, open_sandbox
from scripts.bench_sandbox import references
from scripts.memory import memory_bytes

FIRST = 1_000


def endless() -> Iterator[Job]:
    """The references, again and again, each under a separate key."""
    return (replace(job, key=str(n)) for n, job in enumerate(itertools.cycle(references())))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many", type=int, default=100_000, help="programs in all")
    many = parser.parse_args().many
    ends = [FIRST, *(FIRST + (many - FIRST) * tenth // 10 for tenth in range(1, 11))]
    table = Table("programs", "passed", "programs/s", "memory, MiB")
    with open_sandbox("docker") as sandbox:
        list(sandbox.run(itertools.islice(endless(), 200)))  # the guests are warm
        outcomes = sandbox.run(itertools.islice(endless(), many))
        for start, end in itertools.pairwise((0, *ends)):
            started = time.perf_counter()
            passed = sum(outcome.reward == 1.0 for _, outcome in itertools.islice(outcomes, end - start))
            rate = (end - start) / (time.perf_counter() - started)
            table.add_row(
                f"{start + 1:,} to {end:,}", f"{passed:,}", f"{rate:.0f}", f"{memory_bytes('VmRSS') / 2**20:.0f}"
            )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
