"""Making an argument look as the program left its copy of it."""

from collections import deque
from typing import Any


def restore(old: Any, new: Any) -> Any:
    """Change `old` in place until it equals `new`, keeping inner objects where they can be kept. Returns the result."""
    if type(old) is not type(new):
        return new
    changer = _CHANGERS.get(type(old))
    if changer is None:
        try:
            return old if old == new else new
        except TypeError:  # one of the program's own objects, which cannot be compared
            return new
    changer(old, new)
    return old


def _list(old: list[Any], new: list[Any]) -> None:
    old[:] = [restore(a, b) for a, b in zip(old, new, strict=False)] + new[len(old) :]


def _dict(old: dict[Any, Any], new: dict[Any, Any]) -> None:
    merged = {key: restore(old[key], value) if key in old else value for key, value in new.items()}
    old.clear()
    old.update(merged)


def _refill(old: Any, new: Any) -> None:
    old.clear()
    old.update(new)


def _queue(old: deque[Any], new: deque[Any]) -> None:
    old.clear()
    old.extend(new)


def _bytes(old: bytearray, new: bytearray) -> None:
    old[:] = new


_CHANGERS: dict[type, Any] = {list: _list, dict: _dict, set: _refill, deque: _queue, bytearray: _bytes}
