"""The mutable objects that candidate and examiner both hold, kept the same on both sides.

An object that crosses gets a number, by its place in the stream of messages, so that both sides count alike and no
number is sent. When it crosses again only the number does: the other side meets the very object it knows. Each message
says what has changed since the last one, and which objects its sender still has; the others are forgotten. Only one
side runs at a time, so after each message both see what they would see in one process.
"""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from operator import is_
from sys import getrefcount
from typing import Any

_OWN_REFERENCES = 3
"""References to an object that nothing but this table holds, as `getrefcount` sees them in `outgoing`."""

MUTABLE: tuple[type, ...] = (list, set, deque, bytearray, Counter, OrderedDict, defaultdict, dict)
"""The types whose instances are kept the same; of a subclass, what its base holds. `dict` after its subclasses."""


def _members(base: Any) -> Callable[[Any], Any]:
    return lambda value: [*base.keys(value), *base.values(value)]


_STATES: dict[type, Callable[[Any], Any]] = {
    list: list.copy,
    set: lambda value: list(set.__iter__(value)),
    deque: lambda value: list(deque.__iter__(value)),
    bytearray: bytes,
    **{base: _members(base) for base in (Counter, OrderedDict, defaultdict, dict)},
}
"""The members of an object, to see later whether they are still the same ones."""


def _refill(base: Any) -> Callable[[Any, Any], None]:
    def refill(old: Any, new: Any) -> None:
        base.clear(old)
        base.update(old, new)

    return refill


def _replace(base: Any) -> Callable[[Any, Any], None]:
    return lambda old, new: base.__setitem__(old, slice(None), new)


def _reorder(old: deque[Any], new: deque[Any]) -> None:
    deque.clear(old)
    deque.extend(old, new)


def _recount(old: Counter[Any], new: Counter[Any]) -> None:
    dict.clear(old)  # Counter.update would add
    dict.update(old, new)


_CHANGERS: dict[type, Callable[[Any, Any], None]] = {
    list: _replace(list),
    bytearray: _replace(bytearray),
    deque: _reorder,
    Counter: _recount,
    **{base: _refill(base) for base in (set, OrderedDict, defaultdict, dict)},
}


class UnknownObjectError(Exception):
    """A message names an object that was never sent, or changes one into another type."""


class Graph:
    """One side's table of the objects that both sides hold."""

    def __init__(self, side: int) -> None:
        """`side` is 0 for the examiner and 1 for the candidate: each gives its own numbers."""
        self._sent, self._received = side, 1 - side
        self._entries: dict[int, list[Any]] = {}  # number -> [object, its state when it last crossed, its type here]
        self._numbers: dict[int, int] = {}  # id of an object -> its number
        self.touched = False  # whether the other side has changed an object of this one, or given one back

    def number_of(self, value: Any) -> int | None:
        """The number of an object that both sides have."""
        return self._numbers.get(id(value))

    def send(self, value: Any, base: type) -> None:
        """Number an object that is about to cross for the first time, as a `base`."""
        self._entries[self._sent] = [value, None, base]
        self._numbers[id(value)] = self._sent
        self._sent += 2

    def receive(self, value: Any) -> None:
        """Number an object that has just arrived; its members may still be missing."""
        self._entries[self._received] = [value, None, type(value)]
        self._numbers[id(value)] = self._received
        self._received += 2

    def known(self, number: Any) -> Any:
        """The object of a number. Raises UnknownObjectError."""
        entry = self._entries.get(number) if type(number) is int else None
        if entry is None:
            raise UnknownObjectError("no such object")
        self.touched = True
        return entry[0]

    def outgoing(self, pack: Callable[[Any, type], Any]) -> list[Any] | None:
        """Return the news of a message: [numbers still in use here, [[number, its new content], ...]].

        `pack` makes the JSON of an object's content. None where there is nothing to say, and what the tables hold from
        before this message is forgotten on both sides.
        """
        if not self._entries:
            return None
        kept, changes = [], []
        for number in list(self._entries):
            entry = self._entries[number]
            value, before, base = entry
            if before is None:  # it is in this message
                continue
            state = _STATES[base](value)
            if not _same(state, before):
                changes.append([number, pack(value, base)])
                entry[1] = state
            del before
            if getrefcount(value) > _OWN_REFERENCES:
                kept.append(number)
            else:
                del self._entries[number], self._numbers[id(value)]
        self._settle()
        return [kept, changes] if kept or changes else None

    def incoming(self, news: Any, unpack: Callable[[Any], Any]) -> None:
        """Make the changes that a message speaks of, and forget what its sender has forgotten.

        Raises UnknownObjectError, or what `unpack` raises.
        """
        if not self._entries:
            return
        kept, changes = ([], []) if news is None else news
        forgotten = {number for number, entry in self._entries.items() if entry[1] is not None}.difference(kept)
        for number, content in changes:
            old, new = self.known(number), unpack(content)
            base = self._entries[number][2]
            if base is not type(new):
                raise UnknownObjectError("an object cannot change its type")
            _CHANGERS[base](old, new)
            self._entries[number][1] = None
        for number in forgotten:
            del self._numbers[id(self._entries.pop(number)[0])]
        self._settle()

    def take_back(self) -> None:
        """Forget what was numbered for a message that was not sent after all."""
        for number in [number for number, entry in self._entries.items() if entry[1] is None]:
            del self._numbers[id(self._entries.pop(number)[0])]
            self._sent -= 2

    def _settle(self) -> None:
        """Remember how every object looks now."""
        for entry in self._entries.values():
            if entry[1] is None:
                entry[1] = _STATES[entry[2]](entry[0])


def _same(now: Any, before: Any) -> bool:
    if type(now) is bytes:
        return bool(now == before)
    return len(now) == len(before) and all(map(is_, now, before))
