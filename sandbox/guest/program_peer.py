"""The program's end of the conversation: what of the program crosses, and as what the tests' own objects arrive.

Nothing here can be trusted once the program runs. What it says decides how an answer of the program's looks, and an
answer is all that it can give.
"""

import builtins
import importlib
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Set
from typing import Any

from . import library
from .borrowed import function_like
from .channel import Channel
from .codec import MalformedError
from .library import UnsendableError
from .peer import Kept, Peer
from .specials import ALWAYS, OF_TYPES, defines, overridden, specials_of
from .stand_ins import RemoteIterator, StandIn, kind_of, remote_value

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType, type)
_FIXED: tuple[type, ...] = (int, float, str, bytes, tuple, frozenset, complex)
_MOST_MEMBERS = 10**7


class ProgramPeer(Peer):
    """The end that is in the program's process."""

    def __init__(self, channel: Channel, serves: dict[str, Callable[..., Any]]) -> None:
        """See `Peer`."""
        super().__init__(channel, serves)
        self._lent: dict[int, Any] = {}  # what stands for the tests' objects, by number
        self._lent_numbers: dict[int, int] = {}

    def export(self, value: Any) -> Any:
        """An answer that is no plain value: whole where it can be, or as a handle."""
        number = self._lent_numbers.get(id(value))
        if number is not None:
            return {"o": number}
        if type(value) is Kept:
            return self._handle(value.value, "function")
        packed = library.pack(value, self._encoder)
        if packed is not None:
            return packed
        if self.live:
            return self._live(value)
        packed = self._encoder.base(value)
        if packed is None:
            return self._strict(value)
        default = _default_of(value)
        return packed if default is None else {"m": [packed, *default]}

    def _live(self, value: Any) -> Any:
        """The form of an object that may be asked for its parts."""
        kind = type(value)
        for base in _FIXED:
            if isinstance(value, base):
                asked = overridden(kind, base)
                return {"v": [self._encoder.base(value), self.number(value), kind.__name__, asked]}
        if isinstance(value, _FUNCTIONS) or kind in (types.CoroutineType, types.GeneratorType):
            return self._strict(value)
        return self._handle(value, "iterator" if defines(kind, "__next__") else "object")

    def _strict(self, value: Any) -> Any:
        """The form of an object where plain data is asked for."""
        kind = type(value)
        if kind is types.CoroutineType:
            return {"k": [self.number(value)]}
        if isinstance(value, _FUNCTIONS):
            return self._handle(value, "function")
        if defines(kind, "__next__"):
            return self._handle(value, "iterator")
        members = _members(value)
        if members is not None:
            shape, inner = members
            whole = self._encoder.items(inner) if shape != "mapping" else _pairs(inner, self._encoder.items)
            return {"w": [shape, self.number(value), kind.__name__, defines(kind, "__eq__"), whole]}
        if callable(value):
            return self._handle(value, "function")
        if defines(kind, "__str__") or defines(kind, "__repr__"):
            return {"text": [self.number(value), kind.__name__, bool(value), str(value), repr(value)]}
        return {"opaque": [self.number(value), kind.__name__, bool(value)]}

    def _handle(self, value: Any, shape: str) -> Any:
        name = getattr(value, "__name__", None)
        name = name if isinstance(name, str) else type(value).__name__
        if shape == "function":
            specials = list(OF_TYPES) if isinstance(value, type) else []
        else:
            specials = specials_of(value) if self.live else []
        return {"h": [self.number(value), shape, name, specials]}

    def stand_in(self, tag: str, body: Any) -> Any:
        """Return the stand-in for an object of the tests, or one of the program's that has come back."""
        if tag == "o":
            return self.owned(body)
        if tag == "y":
            return vars(builtins)[body]
        if tag == "q":
            return _imported(*body)
        maker = _MAKERS.get(tag)
        if maker is None:
            raise MalformedError(f"an unknown tag {tag!r}")
        number = body[0]
        if number not in self._lent:
            lent = self._lent[number] = maker(self, *body)
            self._lent_numbers[id(lent)] = number
        return self._lent[number]

    def call(self, target: StandIn, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Have the tests call one of their objects."""
        return self.call_number(target._number, positional, named)

    def call_number(self, number: int, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Have the tests call one of their functions."""
        if named:
            return self.ask("call_named", number, named, *positional)
        return self.ask("call", number, *positional)

    def ask_object(self, operation: str, target: Any, *operands: Any) -> Any:
        """Ask the tests about one of their objects."""
        return self.ask(operation, target._number, *operands)

    def advance(self, iterator: RemoteIterator) -> Any:
        """The next element of one of the tests' iterators, one at a time: the tests may watch."""
        return self.ask("next", iterator._number)


def _default_of(value: Any) -> list[Any] | None:
    """The default of a dict of the program's own, in a list; None where it depends on the key."""
    kind = type(value)
    if not isinstance(value, dict) or isinstance(value, Counter | defaultdict) or not defines(kind, "__missing__"):
        return None
    defaults = []
    for key in (object(), object()):
        try:
            defaults.append(kind.__missing__(value, key))
        except Exception:  # noqa: BLE001 - then there is no default
            return None
        dict.pop(value, key, None)
    plain = all(type(default) in (int, float, str, bool, type(None)) for default in defaults)
    return defaults[:1] if plain and defaults[0] == defaults[1] else None


def _members(value: Any) -> tuple[str, Any] | None:
    """The members of a container of the program's own, walked through once; None for what is no container."""
    kind = type(value)
    if defines(kind, "keys") and defines(kind, "__getitem__"):
        return "mapping", [(key, value[key]) for key in value.keys()]  # noqa: SIM118 - it is no dict
    if isinstance(value, Set):
        return "set", list(value)
    if defines(kind, "__iter__"):
        members = []
        for member in value:
            members.append(member)
            if len(members) > _MOST_MEMBERS:
                raise UnsendableError(f"the {kind.__name__} object has no end")
        return "sequence", members
    if defines(kind, "__len__") and defines(kind, "__getitem__"):
        return "sequence", [value[place] for place in range(len(value))]
    return None


def _pairs(pairs: list[tuple[Any, Any]], pack: Callable[[Any], list[Any]]) -> list[Any]:
    return [pack([key for key, _ in pairs]), pack([value for _, value in pairs])]


def _imported(module: str, path: str) -> Any:
    value: Any = importlib.import_module(module)
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _lent_function(peer: ProgramPeer, number: int, name: str, doc: Any, signature: Any) -> Any:
    def call(*positional: Any, **named: Any) -> Any:
        return peer.call_number(number, positional, named)

    if signature is None:
        signature = [0, [], [], "args", "named", [], {}]
    return function_like(name, doc, signature, call, peer._decoder.unpack)


def _lent_object(peer: ProgramPeer, number: int, shape: str, name: str, specials: list[str]) -> Any:
    base = RemoteIterator if shape == "iterator" else StandIn
    asked = frozenset(specials) - {"__iter__", "__next__"} if shape == "iterator" else {*specials, *ALWAYS}
    return kind_of(base, frozenset(asked))(peer, number, name, "")


def _lent_value(peer: ProgramPeer, number: int, packed: Any, name: str, specials: list[str]) -> Any:
    value = peer._decoder.unpack(packed)
    return remote_value(value, frozenset(specials), {"_peer": peer, "_number": number, "__name__": name})


_MAKERS: dict[str, Callable[..., Any]] = {"fn": _lent_function, "h": _lent_object, "v": _lent_value}
