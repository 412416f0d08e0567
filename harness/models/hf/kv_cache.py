"""A key-value cache of slots: one per sequence for its own tokens, and one per prompt for the sequences that share it.

Every row begins at position 0 of its slot, so that there is no padding on the left, and a new sequence takes the slot
of one that has ended. Positions beyond a row's length hold leftovers of earlier sequences and are masked.
`shared_attention` reads both parts.
"""

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

GROWTH = 64
"""The least number of spare positions when slots grow, as each growth copies them all."""


PADDING = 2.0
"""Prompts are read all at once where padding makes that no more than this many times the work of one by one."""


def cache_argument(model: Any) -> str:  # noqa: ANN401 - transformers' own
    """Return a model's argument for keys and values of earlier tokens, "" without one: releases name it differently."""
    accepted = inspect.signature(model.forward).parameters
    return next((name for name in ("cache", "past_key_values") if name in accepted), "")


def can_continue(model: Any) -> bool:  # noqa: ANN401
    """Return whether a model can continue from keys and values alone, which a recurrent model does not have."""
    return bool(cache_argument(model)) and not getattr(model, "_is_stateful", False)


def is_plain(cache: DynamicCache) -> bool:
    """Return whether a cache that a model filled holds keys and values alone, of all positions."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def continued(after: DynamicCache | None, rows: int) -> DynamicCache:
    """Return a cache in which each of some rows continues the same tokens; an empty one without tokens."""
    if after is None:
        return DynamicCache()
    cache = deepcopy(after)
    cache.batch_repeat_interleave(rows)
    return cache


@dataclass(frozen=True, slots=True)
class Prefilled:
    """A prompt's keys and values, in one row of a cache of transformers, and the logits and states after it."""

    cache: Any
    source: int  # the row
    length: int
    logits_V: Tensor
    states_LD: Tensor | None  # of its last token, where layers are watched


class KvBlock:
    """Keys and values of some sequences, [slots, heads, capacity, width] each; grows in slots and in capacity."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        """Make an empty block with the heads and widths of these keys and values [., heads, ., width]."""
        self.keys, self.values = (each.new_zeros(0, each.shape[1], 0, each.shape[3]) for each in (keys, values))

    def reserve(self, slots: int, length: int) -> None:
        """Grow to this many sequences of this length."""
        slots, length = max(slots, len(self.keys)), max(length, self.keys.shape[2])
        if (slots, length) != (len(self.keys), self.keys.shape[2]):
            self.keys, self.values = (_grown(each, slots, length) for each in (self.keys, self.values))

    def move(self, slots: Tensor, to: Tensor, length: int) -> None:
        """Copy the first positions of some slots over those of others."""
        source, target = slots.to(self.keys.device), to.to(self.keys.device)
        for each in (self.keys, self.values):
            each[target, :, :length] = each[source, :, :length]


def _grown(old: Tensor, slots: int, length: int) -> Tensor:
    new = old.new_zeros(slots, old.shape[1], length, old.shape[3])
    new[: len(old), :, : old.shape[2]] = old
    return new


class SlotLayer(DynamicLayer):
    """One layer: a block of prompts, and a block of the rows' own tokens."""

    def __init__(self, cache: "SlotCache", keys: Tensor, values: Tensor, window: int | None) -> None:
        """Make empty slots like these keys and values [., heads, ., width]; the layer reads `window` positions back."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.cache, self.window = cache, window
        self.prompts, self.own = KvBlock(keys, values), KvBlock(keys, values)
        self.device, self.is_initialized = keys.device, True
        # Whether `shared_attention` has read this layer; some models have another attention.
        self.attended = False

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Write one new position of every row, and return all own positions that any row has."""
        cache, own = self.cache, self.own
        rows, positions = cache.numbers.to(self.device), cache.lengths.to(self.device)  # a sharded layer is elsewhere
        own.keys[rows, :, positions], own.values[rows, :, positions] = key_states[:, :, 0], value_states[:, :, 0]
        keys = own.keys[: cache.count, :, : cache.longest + 1]
        keys.slots = self  # type: ignore[attr-defined]  # how the attention finds the prompts
        return keys, own.values[: cache.count, :, : cache.longest + 1]

    def get_seq_length(self) -> int:
        """Return the longest row's length."""
        return self.cache.longest


@dataclass(frozen=True, slots=True)
class Group:
    """Prompts in neighbouring slots, G of them, and the rows that continue each, M at most."""

    slots: slice
    rows_GM: Tensor  # padded with -1, the last row, whose results there are not used
    lengths_G: Tensor
    longest: int
    even: bool  # whether all prompts have that length


class SlotCache(Cache):
    """The slots of all layers. The first `count` rows are in use; row i has `lengths[i]` own positions."""

    def __init__(self, prefilled: Any, windows: Sequence[int | None], device: str) -> None:  # noqa: ANN401
        """Make slots for the model that filled the cache `prefilled`, and whose layers have these windows."""
        self.count = self.longest = 0
        self.device = device
        # The padding that is worth reading all prompts at once; on a GPU, fewer and larger steps are worth any.
        self.padding = PADDING if device == "cpu" else float("inf")
        layers = zip(prefilled.layers, windows, strict=True)
        self._slots = [SlotLayer(self, layer.keys, layer.values, window) for layer, window in layers]
        super().__init__(layers=[*self._slots])
        self._prompt_lengths: list[int] = []  # by the prompt's slot

    @property
    def is_attended(self) -> bool:
        """True if `shared_attention` has read every layer."""
        return all(layer.attended for layer in self._slots)

    def arrange(self, prompts: Sequence[int]) -> None:
        """Set the rows, by the slots of their prompts."""
        self.count = len(prompts)
        self.numbers = torch.arange(self.count, device=self.device)
        self._starts = torch.tensor([self._prompt_lengths[prompt] for prompt in prompts], device=self.device)
        members: dict[int, list[int]] = {prompt: [] for prompt in sorted(set(prompts))}
        for row, prompt in enumerate(prompts):
            members[prompt].append(row)
        self.groups = [self._group(members)]
        read = sum(len(rows) * self._prompt_lengths[prompt] for prompt, rows in members.items())
        if self.groups[0].rows_GM.numel() * self.groups[0].longest > self.padding * read:
            self.groups = [self._group({prompt: rows}) for prompt, rows in members.items()]
        self.places = torch.zeros_like(self.numbers)
        filled = torch.cat([group.rows_GM.flatten() for group in self.groups])
        used = filled >= 0
        self.places[filled[used]] = used.nonzero().squeeze(1)

    def _group(self, members: Mapping[int, list[int]]) -> Group:
        slots, most = range(min(members), max(members) + 1), max(map(len, members.values()))
        rows = [members.get(slot, []) for slot in slots]
        lengths = [self._prompt_lengths[slot] for slot in slots]
        return Group(
            slots=slice(slots.start, slots.stop),
            rows_GM=torch.tensor([each + [-1] * (most - len(each)) for each in rows], device=self.device),
            lengths_G=torch.tensor(lengths, device=self.device),
            longest=max(self._prompt_lengths[slot] for slot in members),
            even=len(set(lengths)) == 1,
        )

    def use(self, lengths: Sequence[int]) -> None:
        """Set the number of own positions of each row, and make place for one more."""
        self.longest = max(lengths)
        self.lengths = torch.tensor(lengths, device=self.device)
        self.positions = self._starts + self.lengths
        self._seen: dict[tuple[int, int | None], Tensor | None] = {}
        self._seen_own: dict[int | None, Tensor] = {}
        for layer in self._slots:
            block = layer.own
            if len(block.keys) < self.count or block.keys.shape[2] <= self.longest:
                block.reserve(self.count, self.longest + 1 + GROWTH)

    def seen_of_prompts(self, group: Group, window: int | None) -> Tensor | None:
        """Return the positions of its prompt that each row sees, [G, 1, M or 1, 1, positions]; None for all of them."""
        key = group.slots.start, window
        if key not in self._seen:
            at = torch.arange(group.longest, device=self.device)
            seen = None if group.even else (at < group.lengths_G[:, None])[:, None]
            if window is not None:
                near = at > self.positions[group.rows_GM][:, :, None] - window
                seen = near if seen is None else seen & near
            self._seen[key] = None if seen is None else seen[:, None, :, None]
        return self._seen[key]

    def seen_of_own(self, window: int | None) -> Tensor:
        """Return the own positions that each row sees, [rows, 1, 1, 1, positions]."""
        if window not in self._seen_own:
            at = torch.arange(self.longest + 1, device=self.device)
            seen = at <= self.lengths[:, None]
            if window is not None:
                seen &= at > self.lengths[:, None] - window
            self._seen_own[window] = seen[:, None, None, None]
        return self._seen_own[window]

    def load_prompts(self, prompts: Sequence[Prefilled], slots: Sequence[int]) -> None:
        """Copy prompts into their slots."""
        lengths = [prompt.length for prompt in prompts]
        self._prompt_lengths += [0] * (max(slots) + 1 - len(self._prompt_lengths))
        for at, layer in enumerate(self._slots):
            if max(slots) >= (present := len(layer.prompts.keys)):
                layer.prompts.reserve(max(max(slots) + 1, present * 3 // 2), max(lengths))
            layer.prompts.reserve(0, max(lengths))
            for slot, prompt in zip(slots, prompts, strict=True):
                source, length = prompt.cache.layers[at], prompt.length
                layer.prompts.keys[slot, :, :length] = source.keys[prompt.source, :, :length]
                layer.prompts.values[slot, :, :length] = source.values[prompt.source, :, :length]
        for slot, length in zip(slots, lengths, strict=True):
            self._prompt_lengths[slot] = length

    def move(self, rows: Sequence[int], to: Sequence[int], longest: int) -> None:
        """Copy the first `longest` own positions of some rows over those of others."""
        source, target = (torch.tensor(each, device=self.device) for each in (rows, to))
        for layer in self._slots:
            layer.own.move(source, target, longest)
