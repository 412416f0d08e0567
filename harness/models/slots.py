"""A key-value cache of slots: one row a sequence, each as long as it is, so that rows come and go on their own.

A row begins at position 0 of its slot whatever its length, so there is no padding to the left, and a new sequence takes
the slot of one that has ended. What lies beyond a row's length is another sequence's leftovers and is masked.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

GROWTH = 64
"""Slots have room for at least so many positions more than asked for when they grow: each growth copies them all."""


class SlotLayer(DynamicLayer):
    """One layer's keys and values, [rows, heads, capacity, width]."""

    keys: Tensor
    values: Tensor

    def __init__(self, cache: "SlotCache", keys: Tensor, values: Tensor) -> None:
        """Empty slots like the keys and values [., heads, ., width] of a layer."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._cache = cache
        self.keys, self.values = (
            each.new_zeros(cache.rows, each.shape[1], 0, each.shape[3]) for each in (keys, values)
        )
        self.device, self.is_initialized = keys.device, True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Write one new position of every row; returns all positions that any row has."""
        cache = self._cache
        rows, positions = cache.numbers.to(self.device), cache.lengths.to(self.device)  # a sharded layer is elsewhere
        self.keys[rows, :, positions], self.values[rows, :, positions] = key_states[:, :, 0], value_states[:, :, 0]
        return self.keys[: cache.count, :, : cache.longest + 1], self.values[: cache.count, :, : cache.longest + 1]

    def grow(self, capacity: int) -> None:
        """Make room for sequences of this length."""
        more = capacity - self.keys.shape[2]
        self.keys, self.values = (torch.nn.functional.pad(each, (0, 0, 0, more)) for each in (self.keys, self.values))

    def load(self, rows: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put [rows, heads, length, width] of keys and values at the beginning of some slots."""
        at, length = rows.to(self.device), keys.shape[2]
        self.keys[at, :, :length], self.values[at, :, :length] = keys, values

    def move(self, rows: Tensor, to: Tensor, longest: int) -> None:
        """Copy the first positions of some slots over those of others."""
        source, target = rows.to(self.device), to.to(self.device)
        for each in (self.keys, self.values):
            each[target, :, :longest] = each[source, :, :longest]

    def get_seq_length(self) -> int:
        """The longest row's length."""
        return self._cache.longest


class SlotCache(Cache):
    """The slots of all layers. The first `count` rows are in use; row i holds `lengths[i]` positions."""

    def __init__(self, rows: int, prefilled: Any, device: str) -> None:  # noqa: ANN401 - any of transformers' caches
        """Slots for `rows` sequences of a model that filled `prefilled`, a cache of its own."""
        self.rows, self.count, self.longest, self.capacity = rows, 0, 0, 0
        self.lengths, self.numbers = (torch.zeros(0, dtype=torch.long, device=device) for _ in range(2))
        self._slots = [SlotLayer(self, layer.keys, layer.values) for layer in prefilled.layers]
        super().__init__(layers=[*self._slots])

    def use(self, lengths: list[int]) -> None:
        """Say how long the rows in use are."""
        self.count, self.longest = len(lengths), max(lengths)
        self.lengths = torch.tensor(lengths, device=self.lengths.device)
        self.numbers = torch.arange(self.count, device=self.lengths.device)
        self.reserve(self.longest + 1)

    def reserve(self, length: int) -> None:
        """Make room for sequences of this length."""
        if length > self.capacity:
            self.capacity = -(-max(length + GROWTH, self.capacity * 5 // 4) // GROWTH) * GROWTH
            for layer in self._slots:
                layer.grow(self.capacity)

    def load(self, rows: list[int], prefilled: Any, source: int, length: int) -> None:  # noqa: ANN401
        """Copy the first `length` positions of row `source` of another cache into some slots."""
        self.reserve(length)
        at = torch.tensor(rows, device=self.lengths.device)
        for layer, other in zip(self._slots, prefilled.layers, strict=True):
            layer.load(
                at, *(each[source, :, :length].expand(len(rows), -1, -1, -1) for each in (other.keys, other.values))
            )

    def move(self, rows: list[int], to: list[int], longest: int) -> None:
        """Copy the first `longest` positions of some slots over those of others."""
        source, target = (torch.tensor(each, device=self.lengths.device) for each in (rows, to))
        for layer in self._slots:
            layer.move(source, target, longest)
