"""Batches of rows of similar lengths, whose results come back in the order of the rows."""

from collections.abc import Callable, Sequence

BATCH_TOKENS = 4096
"""The most padded tokens in a batch."""

Rows = Sequence[Sequence[int]]


def by_length(rows: Rows, compute: Callable[[Rows], list[float]], before: int = 0) -> list[float]:
    """Return `compute` of all rows, called for batches of similar lengths, with equal rows once.

    `before` is the number of tokens whose keys and values each row takes into the batch.
    """
    results: dict[tuple[int, ...], float] = {}
    batch: list[tuple[int, ...]] = []
    for row in sorted({tuple(row) for row in rows}, key=lambda row: (-len(row), row)):
        if batch and (len(batch) + 1) * (before + len(batch[0])) > BATCH_TOKENS:
            results |= zip(batch, compute(batch), strict=True)
            batch = []
        batch.append(row)
    if batch:
        results |= zip(batch, compute(batch), strict=True)
    return [results[tuple(row)] for row in rows]
