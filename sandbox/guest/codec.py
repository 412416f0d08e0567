"""Values as tagged JSON: what may cross between candidate and examiner, and as what it arrives.

Lists, strings, numbers, booleans and None are JSON's own. Every other type is an object with one key, its tag. What
arrives is always of one exact type of a closed list: a subclass arrives as its base, and anything else as a handle,
which the receiving side decides about. Decoding builds values and never runs anything the other side chose.

With a `Graph`, a mutable object that crosses twice arrives as one object, and so does one that is there twice.
"""

import builtins
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

from . import library
from .graph import MUTABLE, Graph, UnknownObjectError

Export = Callable[[Any], Any]
"""Makes JSON of something that cannot cross by value: a whole object with its tag. Raises UnsendableError where it
will not."""

Import = Callable[[str, Any], Any]
"""Makes a stand-in of what `Export` made on the other side, from its tag and its body."""


class MalformedError(Exception):
    """A message that does not describe a value."""


_PLAIN = frozenset({type(None), bool, int, float, str})
PURE = frozenset(
    {abs, all, any, ascii, bin, chr, divmod, format, hash, hex, isinstance, issubclass, iter, len, max, min, next, oct}
    | {ord, pow, repr, round, sorted, sum}
)
"""Functions that may cross by name: whatever calls them, nothing happens but a result."""

_BUILTINS = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) or (value.__class__ is type(len) and value in PURE)
}
_BUILTIN_NAMES = {id(value): name for name, value in _BUILTINS.items()}


class Encoder:
    """Makes JSON of values."""

    def __init__(self, export: Export, graph: Graph | None = None) -> None:
        """`export` gets what cannot cross by value."""
        self.export = export
        self._graph = graph

    def pack(self, value: Any) -> Any:
        """The JSON form of `value`. Raises UnsendableError."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if self._graph is not None and kind in _MUTABLE and (known := self._known(self._graph, value, kind)):
            return known
        if kind is list:
            return self.items(value)
        packer = _PACKERS.get(kind)
        return self._other(value) if packer is None else packer(value, self)

    def items(self, values: Any) -> list[Any]:
        """The JSON forms of `values`."""
        # Most lists hold plain values only, and `issuperset(map(type, ...))` sees that without a loop in Python.
        if _PLAIN.issuperset(map(type, values)):
            return list(values)
        return [self.pack(value) for value in values]

    def content(self, value: Any, base: type) -> Any:
        """The JSON form of an object that has its number already, as a `base`."""
        return _BASE_PACKERS[base](value, self)

    def base(self, value: Any) -> Any:
        """The JSON form of an instance of a subclass, as its base; None where it has no base that may cross."""
        for base, packer in _BASES:
            if isinstance(value, base):
                if self._graph is not None and base in _MUTABLE and (known := self._known(self._graph, value, base)):
                    return known
                return packer(value, self)
        return None

    @staticmethod
    def _known(graph: Graph, value: Any, base: type) -> dict[str, int] | None:
        """The JSON form of an object that has crossed before; else None, and it gets its number, as a `base`."""
        number = graph.number_of(value)
        if number is not None:
            return {"@": number}
        graph.send(value, base)
        return None

    def _other(self, value: Any) -> Any:
        name = _BUILTIN_NAMES.get(id(value))
        return self.export(value) if name is None else {"x": name}


def _pack_dict(value: Any, to: Encoder, base: Any = dict) -> list[Any]:
    return [to.items(base.keys(value)), to.items(base.values(value))]


def _pack_default(value: Any, to: Encoder) -> list[Any]:
    factory = _BUILTIN_NAMES.get(id(value.default_factory))
    return [*_pack_dict(value, to), factory]


_PACKERS: dict[type, Callable[[Any, Encoder], Any]] = {
    tuple: lambda value, to: {"t": to.items(value)},
    dict: lambda value, to: {"d": _pack_dict(value, to)},
    set: lambda value, to: {"s": to.items(value)},
    frozenset: lambda value, to: {"f": to.items(value)},
    bytes: lambda value, to: {"b": value.decode("latin-1")},
    bytearray: lambda value, to: {"a": value.decode("latin-1")},
    complex: lambda value, to: {"c": [value.real, value.imag]},
    range: lambda value, to: {"r": [value.start, value.stop, value.step]},
    slice: lambda value, to: {"slice": to.items([value.start, value.stop, value.step])},
    type({}.keys()): lambda value, to: {"keys": to.items(value)},
    type({}.values()): lambda value, to: {"values": to.items(value)},
    type({}.items()): lambda value, to: {"items": _pack_dict(dict(value), to)},
    Counter: lambda value, to: {"counter": _pack_dict(value, to)},
    OrderedDict: lambda value, to: {"ordered": _pack_dict(value, to, OrderedDict)},
    defaultdict: lambda value, to: {"default": _pack_default(value, to)},
    deque: lambda value, to: {"deque": [to.items(value), value.maxlen]},
    type(...): lambda value, to: {"ellipsis": 0},
    type(NotImplemented): lambda value, to: {"notimplemented": 0},
}

_BASES: list[tuple[type, Callable[[Any, Encoder], Any]]] = [
    (int, lambda value, to: int.__index__(value)),
    (float, lambda value, to: float.__float__(value)),
    (str, lambda value, to: str.__str__(value)),
    (list, lambda value, to: to.items(list.copy(value))),
    *((base, packer) for base, packer in _PACKERS.items() if base is not dict),
    (dict, _PACKERS[dict]),  # after its three subclasses
]
_BASE_PACKERS = dict(_BASES)
_MUTABLE = frozenset(MUTABLE)


class Decoder:
    """The reverse of an `Encoder`, with a way to make stand-ins.

    Raises MalformedError for anything that an Encoder does not make.
    """

    def __init__(self, make_handle: Import, graph: Graph | None = None) -> None:
        """`make_handle` gets the tag and the body of what the other side's `export` returned."""
        self._make_handle = make_handle
        self._graph = graph

    def unpack(self, data: Any) -> Any:
        """The value that `data` describes."""
        if type(data) in _PLAIN:
            return data
        return self._checked(self._value, data)

    def unpack_items(self, data: Any) -> list[Any]:
        """The values that a list of `Encoder.items` describes."""
        values: list[Any] = self._checked(self.items, data)
        return values

    def unpack_content(self, data: Any) -> Any:
        """The reverse of `Encoder.content`."""
        return self._checked(self._content, data)

    def _checked(self, read: Callable[[Any], Any], data: Any) -> Any:
        try:
            return read(data)
        except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, UnknownObjectError) as error:
            raise MalformedError(f"{type(error).__name__}: {error}") from None

    def _value(self, data: Any) -> Any:
        kind = type(data)
        if kind in _PLAIN:
            return data
        if kind is list:
            return self._list(data)
        ((tag, body),) = data.items()
        unpack = _UNPACKERS.get(tag)
        if unpack is not None:
            return unpack(body, self)
        if tag == "@" and self._graph is not None:
            return self._graph.known(body)
        unpack_library = library.UNPACKERS.get(tag)
        return self._make_handle(tag, body) if unpack_library is None else unpack_library(body, self)

    def _list(self, data: list[Any]) -> list[Any]:
        if self._graph is None:
            return self.items(data)
        if _PLAIN.issuperset(map(type, data)):
            self._graph.receive(data)
            return data
        values: list[Any] = []
        self._graph.receive(values)
        values.extend([self._value(value) for value in data])
        return values

    def _content(self, data: Any) -> Any:
        if type(data) is list:
            return self.items(data)
        ((tag, body),) = data.items()
        empty, fill = _FILLERS[tag]
        value = empty(body)
        fill(value, body, self)
        return value

    def mutable(self, tag: str, body: Any) -> Any:
        """A mutable object, numbered before its members are, as its sender did."""
        empty, fill = _FILLERS[tag]
        value = empty(body)
        if self._graph is not None:
            self._graph.receive(value)
        fill(value, body, self)
        return value

    def items(self, values: Any) -> list[Any]:
        """The members that a list of JSON forms describes."""
        if type(values) is not list:
            raise MalformedError("no list")
        if _PLAIN.issuperset(map(type, values)):
            return values
        return [self._value(value) for value in values]


def _build_set(kind: type, items: list[Any]) -> Any:
    """A set that is walked through in the order of `items`, where it can be had: it depends on how a set grew."""
    grown = kind(items)
    if list(grown) == items:
        return grown
    copied = kind(set(items))  # grown at once, as a literal is
    return copied if list(copied) == items else grown


def _fill_set(value: set[Any], body: Any, to: Decoder) -> None:
    # As in `_build_set`, but the object is there already.
    items = to.items(body)
    value.update(items)
    if list(value) != items:
        value.clear()
        value |= set(items)


def _fill_dict(value: Any, body: Any, to: Decoder) -> None:
    dict.update(value, zip(to.items(body[0]), to.items(body[1]), strict=True))


def _fill_ordered(value: Any, body: Any, to: Decoder) -> None:
    OrderedDict.update(value, zip(to.items(body[0]), to.items(body[1]), strict=True))


def _factory(name: str | None) -> Any:
    return None if name is None else _BUILTINS[name]


_Fill = Callable[[Any, Any, Decoder], None]
_FILLERS: dict[str, tuple[Callable[[Any], Any], _Fill]] = {
    "d": (lambda body: {}, _fill_dict),
    "s": (lambda body: set(), _fill_set),
    "a": (lambda body: bytearray(body.encode("latin-1")), lambda value, body, to: None),
    "counter": (lambda body: Counter(), _fill_dict),
    "ordered": (lambda body: OrderedDict(), _fill_ordered),
    "default": (lambda body: defaultdict(_factory(body[2])), _fill_dict),
    "deque": (lambda body: deque(maxlen=body[1]), lambda value, body, to: value.extend(to.items(body[0]))),
}
"""For each mutable type: an empty one, and what fills it."""


def _of_mutable(tag: str) -> Callable[[Any, Decoder], Any]:
    return lambda body, to: to.mutable(tag, body)


_UNPACKERS: dict[str, Callable[[Any, Decoder], Any]] = {
    **{tag: _of_mutable(tag) for tag in _FILLERS},
    "t": lambda body, to: tuple(to.items(body)),
    "f": lambda body, to: _build_set(frozenset, to.items(body)),
    "b": lambda body, to: body.encode("latin-1"),
    "c": lambda body, to: complex(float(body[0]), float(body[1])),
    "r": lambda body, to: range(body[0], body[1], body[2]),
    "slice": lambda body, to: slice(*to.items(body)),
    "keys": lambda body, to: dict.fromkeys(to.items(body)).keys(),
    "values": lambda body, to: dict(enumerate(to.items(body))).values(),
    "items": lambda body, to: dict(zip(to.items(body[0]), to.items(body[1]), strict=True)).items(),
    "ellipsis": lambda body, to: ...,
    "notimplemented": lambda body, to: NotImplemented,
    "x": lambda body, to: _BUILTINS[body],
}
