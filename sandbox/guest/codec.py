"""Values as tagged JSON: what may cross between candidate and examiner, and as what it arrives.

Lists, strings, numbers, booleans and None are JSON's own. Every other type is an object with one key, its tag. What
arrives is always of one exact type of a closed list: a subclass arrives as its base, and anything else as a handle,
which the receiving side decides about. Decoding builds values and never runs anything the other side chose.
"""

import builtins
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

from . import library

Export = Callable[[Any], Any]
"""Makes JSON of something that cannot cross by value, for the tag "h". Raises UnsendableError where it will not."""

Import = Callable[[Any], Any]
"""Makes a stand-in of what `Export` made on the other side."""


class MalformedError(Exception):
    """A message that does not describe a value."""


_PLAIN = frozenset({type(None), bool, int, float, str})
_PURE = frozenset(
    {abs, all, any, ascii, bin, chr, divmod, format, hash, hex, isinstance, issubclass, iter, len, max, min, next, oct}
    | {ord, pow, repr, round, sorted, sum}
)
"""Functions that may cross by name: whatever calls them, nothing happens but a result."""

_BUILTINS = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) or (value.__class__ is type(len) and value in _PURE)
}
_BUILTIN_NAMES = {id(value): name for name, value in _BUILTINS.items()}


def pack(value: Any, export: Export) -> Any:
    """The JSON form of `value`."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return pack_items(value, export)
    packer = _PACKERS.get(kind)
    if packer is not None:
        return packer(value, export)
    return _pack_other(value, export)


def pack_items(values: Any, export: Export) -> list[Any]:
    """The JSON forms of `values`."""
    # Most lists hold plain values only, and `issuperset(map(type, ...))` sees that without a loop in Python.
    if _PLAIN.issuperset(map(type, values)):
        return list(values)
    return [pack(value, export) for value in values]


def _pack_other(value: Any, export: Export) -> Any:
    name = _BUILTIN_NAMES.get(id(value))
    if name is not None:
        return {"x": name}
    for base, packer in _BASES:
        if isinstance(value, base):
            return packer(value, export)
    packed = library.pack(value)
    return {"h": export(value)} if packed is None else packed


def _pack_dict(value: Any, export: Export) -> list[Any]:
    return [pack_items(value.keys(), export), pack_items(value.values(), export)]


def _pack_default(value: Any, export: Export) -> list[Any]:
    factory = _BUILTIN_NAMES.get(id(value.default_factory))
    return [*_pack_dict(value, export), factory]


_PACKERS: dict[type, Callable[[Any, Export], Any]] = {
    tuple: lambda value, export: {"t": pack_items(value, export)},
    dict: lambda value, export: {"d": _pack_dict(value, export)},
    set: lambda value, export: {"s": pack_items(value, export)},
    frozenset: lambda value, export: {"f": pack_items(value, export)},
    bytes: lambda value, export: {"b": value.decode("latin-1")},
    bytearray: lambda value, export: {"a": value.decode("latin-1")},
    complex: lambda value, export: {"c": [value.real, value.imag]},
    range: lambda value, export: {"r": [value.start, value.stop, value.step]},
    type({}.keys()): lambda value, export: {"keys": pack_items(value, export)},
    type({}.values()): lambda value, export: {"values": pack_items(value, export)},
    type({}.items()): lambda value, export: {"items": _pack_dict(dict(value), export)},
    Counter: lambda value, export: {"counter": _pack_dict(value, export)},
    OrderedDict: lambda value, export: {"ordered": _pack_dict(value, export)},
    defaultdict: lambda value, export: {"default": _pack_default(value, export)},
    deque: lambda value, export: {"deque": [pack_items(value, export), value.maxlen]},
    type(...): lambda value, export: {"ellipsis": 0},
}

_BASES: list[tuple[type, Callable[[Any, Export], Any]]] = [
    (int, lambda value, export: int.__index__(value)),
    (float, lambda value, export: float.__float__(value)),
    (str, lambda value, export: str.__str__(value)),
    (list, lambda value, export: pack_items(value, export)),
    *((base, packer) for base, packer in _PACKERS.items() if base is not dict),
    (dict, _PACKERS[dict]),  # after its three subclasses
]


class Decoder:
    """The reverse of `pack`, with a way to make stand-ins. Raises MalformedError for anything `pack` does not make."""

    def __init__(self, make_handle: Import) -> None:
        """`make_handle` gets what the other side's `export` returned."""
        self._make_handle = make_handle

    def unpack(self, data: Any) -> Any:
        """The value that `data` describes."""
        if type(data) in _PLAIN:
            return data
        return self._checked(self._value, data)

    def unpack_items(self, data: Any) -> list[Any]:
        """The values that a list of `pack_items` describes."""
        found: list[Any] = self._checked(self._items, data)
        return found

    def _checked(self, read: Callable[[Any], Any], data: Any) -> Any:
        try:
            return read(data)
        except (TypeError, ValueError, ArithmeticError, AttributeError, KeyError, IndexError) as error:
            raise MalformedError(f"{type(error).__name__}: {error}") from None

    def _value(self, data: Any) -> Any:
        kind = type(data)
        if kind in _PLAIN:
            return data
        if kind is list:
            return self._items(data)
        ((tag, body),) = data.items()
        if tag == "h":
            return self._make_handle(body)
        unpack = _UNPACKERS.get(tag)
        return library.UNPACKERS[tag](body) if unpack is None else unpack(body, self._items)

    def _items(self, values: Any) -> list[Any]:
        if type(values) is not list:
            raise MalformedError("no list")
        if _PLAIN.issuperset(map(type, values)):
            return values
        return [self._value(value) for value in values]


_Items = Callable[[Any], list[Any]]


def _build_set(kind: type, items: list[Any]) -> Any:
    """A set that is walked through in the order of `items`, where it can be had: it depends on how a set grew."""
    grown = kind(items)
    if list(grown) == items:
        return grown
    copied = kind(set(items))  # grown at once, as a literal is
    return copied if list(copied) == items else grown


def _unpack_dict(body: Any, items: _Items) -> dict[Any, Any]:
    return dict(zip(items(body[0]), items(body[1]), strict=True))


def _unpack_counter(body: Any, items: _Items) -> Counter[Any]:
    counter: Counter[Any] = Counter()
    dict.update(counter, _unpack_dict(body, items))
    return counter


def _unpack_default(body: Any, items: _Items) -> defaultdict[Any, Any]:
    factory: Any = None if body[2] is None else _BUILTINS[body[2]]
    return defaultdict(factory, _unpack_dict(body, items))


_UNPACKERS: dict[str, Callable[[Any, _Items], Any]] = {
    "t": lambda body, items: tuple(items(body)),
    "d": _unpack_dict,
    "s": lambda body, items: _build_set(set, items(body)),
    "f": lambda body, items: _build_set(frozenset, items(body)),
    "b": lambda body, items: body.encode("latin-1"),
    "a": lambda body, items: bytearray(body.encode("latin-1")),
    "c": lambda body, items: complex(float(body[0]), float(body[1])),
    "r": lambda body, items: range(body[0], body[1], body[2]),
    "keys": lambda body, items: dict.fromkeys(items(body)).keys(),
    "values": lambda body, items: dict(enumerate(items(body))).values(),
    "items": lambda body, items: _unpack_dict(body, items).items(),
    "counter": _unpack_counter,
    "ordered": lambda body, items: OrderedDict(_unpack_dict(body, items)),
    "default": _unpack_default,
    "deque": lambda body, items: deque(items(body[0]), body[1]),
    "ellipsis": lambda body, items: ...,
    "x": lambda body, items: _BUILTINS[body],
}
