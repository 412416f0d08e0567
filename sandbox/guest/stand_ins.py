"""Stand-ins for objects of the other side, and objects that crossed whole.

A stand-in has the special methods that its object's class has, and no others: what can be seen of it without asking is
what could be seen of the object. Everything else is asked.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NoReturn

from .peer import Peer

_OWN = ("_peer", "_number", "_label", "__name__")


class StandIn:
    """Stands for an object of the other side."""

    __slots__ = ("__name__", "_label", "_number", "_peer")

    def __init__(self, peer: Peer, number: int, name: str, label: str) -> None:
        """Made by a peer only. `label` says how the tests came by it."""
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_label", label)
        object.__setattr__(self, "__name__", name)

    def __init_subclass__(cls) -> None:
        for name in ("__doc__", "__module__"):  # found in every class, so they would be the stand-in's own
            setattr(cls, name, _asked(name))

    def __eq__(self, other: object) -> bool:
        self._peer.touched = True
        return self is other

    def __hash__(self) -> int:
        return hash(("stand-in", self._number))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an object of the program cannot be copied from outside")

    def __getattr__(self, name: str) -> Any:
        return self._peer.ask_object("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.ask_object("assign", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._peer.ask_object("delete", self, name)


def _asked(name: str) -> property:
    return property(lambda self: self._peer.ask_object("attribute", self, name))


def _call(self: Any, *positional: Any, **named: Any) -> Any:
    return self._peer.call(self, positional, named)


def _special(name: str) -> Any:
    def operate(self: Any, *operands: Any) -> Any:
        return self._peer.ask_object("operate", self, name, *operands)

    operate.__name__ = name
    return operate


_kinds: dict[tuple[type, frozenset[str]], type] = {}


def kind_of(base: type, specials: frozenset[str]) -> type:
    """The class of stand-ins with these special methods."""
    kind = _kinds.get((base, specials))
    if kind is None:
        methods = {name: _call if name == "__call__" else _special(name) for name in specials}
        kind = _kinds[base, specials] = type(base.__name__, (base,), {"__slots__": (), **methods})
    return kind


class Ahead:
    """Elements of an iterator that have crossed before they were asked for."""

    def __init__(self) -> None:
        """None has yet."""
        self.elements: list[Any] = []  # the next one last
        self.ended = False
        self.taken = 0


class RemoteIterator(StandIn):
    """Stands for an iterator: it can be walked through, once, and is true as iterators are."""

    __slots__ = ("_ahead",)

    def __init__(self, peer: Peer, number: int, name: str, label: str) -> None:
        """See `StandIn`."""
        super().__init__(peer, number, name, label)
        object.__setattr__(self, "_ahead", Ahead())

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._peer.advance(self)


class RemoteFunction(StandIn):
    """Stands for a function: it can be called, and is equal to itself alone, as functions are."""

    __slots__ = ()

    def __call__(self, *positional: Any, **named: Any) -> Any:
        return self._peer.call(self, positional, named)


class RemoteValue:
    """The attributes of a value of a subclass of an immutable type; see `value_kind`."""

    def __getattr__(self, name: str) -> Any:
        return self._peer.ask_object("attribute", self, name)


def remote_value(value: Any, specials: frozenset[str], fields: dict[str, Any]) -> Any:
    """A value of an immutable type that is the other side's object besides. `fields` say which."""
    kind: Any = value_kind(type(value), specials)
    remote = kind.__new__(kind, value)
    remote.__dict__.update(fields)
    return remote


def value_kind(base: type, specials: frozenset[str]) -> type:
    """The class of values of `base` that are the other side's objects besides."""
    kind = _kinds.get((base, specials))
    if kind is None:
        methods = {name: _special(name) for name in specials}
        kind = _kinds[base, specials] = type(base.__name__, (RemoteValue, base), methods)
    return kind


def _no_answer(self: Any, *_: Any) -> Any:
    self._peer.touched = True
    raise TypeError(
        f"the program answers with its own {self.__name__} object, and plain data is asked for: "
        "it is not compared, and not asked for its parts"
    )


class Opaque(StandIn):
    """An object that is no answer: it is true or false, it can be handed back to the program, and no more."""

    __slots__ = ("_truth",)

    def __init__(self, peer: Peer, number: int, name: str, label: str, truth: bool) -> None:
        """`truth` crossed with the object."""
        super().__init__(peer, number, name, label)
        object.__setattr__(self, "_truth", truth)

    def __bool__(self) -> bool:
        return self._truth is True

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __str__ = __repr__ = __format__ = _no_answer
    __hash__ = StandIn.__hash__


class Text(Opaque):
    """An object of which its texts have crossed, whole."""

    __slots__ = ("_repr", "_text")

    def __str__(self) -> str:
        return str(self._text)

    def __format__(self, spec: str) -> str:
        return format(self._text, spec)

    def __repr__(self) -> str:
        return str(self._repr)


class _Whole:
    """A container of the program's own, with its members as they were when it was returned."""

    def __init__(self, number: int, name: str, members: Any, comparable: bool) -> None:
        """`comparable`: whether its class says when two of it are equal; then equal members decide."""
        self._number = number
        self.__name__ = name
        self._members = members
        self._comparable = comparable

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, key: Any) -> Any:
        return self._members[key]

    def __eq__(self, other: object) -> bool:
        if self is other or not self._comparable:
            return self is other
        return self._same(other._members if isinstance(other, type(self)) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.__name__}({self._members!r})"

    def _same(self, members: object) -> bool:
        """Return whether its members are equal to those of another container."""
        raise NotImplementedError


class WholeSequence(_Whole, Sequence[Any]):
    """A sequence of the program's own."""

    def _same(self, members: object) -> bool:
        return isinstance(members, list | tuple) and self._members == list(members)


class WholeMapping(_Whole, Mapping[Any, Any]):
    """A mapping of the program's own."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def _same(self, members: object) -> bool:
        return isinstance(members, dict) and self._members == members


class WholeSet(Set[Any]):
    """As `WholeSequence`, of a set."""

    def __init__(self, number: int, name: str, members: list[Any], comparable: bool) -> None:
        """See `WholeSequence`."""
        del comparable  # every set says when it is equal to another
        self._number = number
        self.__name__ = name
        self._members = frozenset(members)

    @classmethod
    def _from_iterable(cls, it: Any) -> Any:
        return set(it)

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __repr__(self) -> str:
        return f"{self.__name__}({set(self._members)!r})"


class WithDefault(dict[Any, Any]):
    """A dict of the program's own that has one value for every key that is missing."""

    def __init__(self, members: dict[Any, Any], default: Any) -> None:
        """`default` crossed with the members."""
        super().__init__(members)
        self._default = default

    def __missing__(self, key: Any) -> Any:
        return self._default


WHOLE: dict[str, Any] = {"sequence": WholeSequence, "mapping": WholeMapping, "set": WholeSet}
