"""Blocks: whole problems whose samples are drawn, kept and embedded together.

What is computed for a sample depends, in its last digits, on what shares its batch. Batches never reach beyond a block
and a block is kept whole or not at all, so that a run that was interrupted, or made in parts on several machines,
equals one that was not.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def blocks(problems: Sequence[T], sizes: Sequence[int], least: int) -> Iterator[list[T]]:
    """Yield neighbouring problems with at least so many samples together, the last ones with fewer."""
    block: list[T] = []
    samples = 0
    for problem, size in zip(problems, sizes, strict=True):
        block.append(problem)
        samples += size
        if samples >= least:
            yield block
            block, samples = [], 0
    if block:
        yield block
