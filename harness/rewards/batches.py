"""Batches of rows of similar lengths, whose results come back in the order of the rows."""

from collections.abc import Callable, Sequence

from transformers import DynamicCache

BATCH_TOKENS = 4096
"""The most padded tokens in a batch, those before the rows included."""

Rows = Sequence[Sequence[int]]
Compute = Callable[[Rows, DynamicCache | None], list[float]]
"""Called as compute(rows, after), for rows that continue the tokens of a cache."""


def by_length(
    rows: Sequence[list[int]], compute: Compute, read: Callable[[list[int]], DynamicCache | None]
) -> list[float]:
    """Return `compute` of all rows, called for batches of similar lengths, with equal rows once.

    `read` makes the cache of the tokens that all rows begin with, once; None where that cannot be continued.
    """
    shared = _beginning(rows)
    after = read(rows[0][:shared]) if shared else None
    before = 0 if after is None else shared
    results: dict[tuple[int, ...], float] = {}
    batch: list[tuple[int, ...]] = []
    for row in sorted({tuple(row[before:]) for row in rows}, key=lambda row: (-len(row), row)):
        if batch and (len(batch) + 1) * (before + len(batch[0])) > BATCH_TOKENS:
            results |= zip(batch, compute(batch, after), strict=True)
            batch = []
        batch.append(row)
    if batch:
        results |= zip(batch, compute(batch, after), strict=True)
    return [results[tuple(row[before:])] for row in rows]


def _beginning(rows: Sequence[list[int]]) -> int:
    """Return how many tokens all rows begin with, without the last token of any; 0 for equal rows."""
    first, last = min(rows, default=[]), max(rows, default=[])  # in their order, these two differ soonest
    differs = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return min(differs, len(first) - 1) if first != last else 0
