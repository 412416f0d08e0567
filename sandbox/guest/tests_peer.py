"""The tests' end of the conversation: what the program may be asked, and what of the tests' own it gets.

An answer is plain data that crossed whole, a function or an iterator. Objects of the program's own may be asked for
their parts where the reference answers with such objects too, and nowhere else: such an object may contradict itself.
A place is known by its label, which says how the tests came by the object: "solve()", ".items()", "solve()[]".
"""

import builtins
import io
import random
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from . import library
from .borrowed import signature_of
from .channel import Channel, Lost
from .codec import MalformedError
from .exceptions import CROSSED
from .failures import RAISED, Asked
from .graph import Graph
from .library import UnsendableError
from .peer import Peer
from .specials import ALWAYS, OPERATIONS, overridden, specials_of
from .stand_ins import (
    WHOLE,
    Opaque,
    RemoteFunction,
    RemoteIterator,
    RemoteValue,
    StandIn,
    Text,
    WholeMapping,
    WholeSequence,
    WholeSet,
    WithDefault,
    kind_of,
    remote_value,
)

ANYWHERE = "*"
"""The label of every place."""

_LABEL_LENGTH = 60
_MOST_LABELS = 40
_SINGLE_ELEMENTS = 16
_MOST_AHEAD = 1024

_FIXED: tuple[type, ...] = (int, float, str, bytes, tuple, frozenset, complex)
_CONTAINERS = (list, dict, set, frozenset, tuple, str, bytes, bytearray, int, float, random.Random, range)
_STREAMS = (io.StringIO, io.BytesIO, io.TextIOWrapper, io.BufferedReader)
_STREAM_NAMES = frozenset(
    {"read", "readline", "readlines", "write", "writelines", "seek", "tell", "truncate", "getvalue", "close", "closed"}
    | {"flush", "name", "mode", "encoding", "readable", "writable", "seekable", "read1", "readinto", "__enter__"}
)
_BUILTIN_FUNCTIONS = (types.BuiltinFunctionType, types.BuiltinMethodType)
_DESCRIPTORS = (types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType)


class TestsPeer(Peer):
    """A peer that stays lost once it was lost, whatever the tests catch."""

    def __init__(self, channel: Channel, graph: bool, objects: list[str]) -> None:
        """`objects` are the labels of the places where the program may answer with its own objects."""
        super().__init__(channel, self._operations())
        self.lost: str | None = None
        self.limit = ""  # the last thing that the tests wanted and that may not be asked
        self.met: dict[str, None] = {}  # the labels where the program did answer so
        self.asked: Asked | None = None  # the last question, to be named where its answer was wrong
        self._objects = frozenset(objects)
        self._stand_ins: dict[int, Any] = {}
        if graph:
            self.use_graph(Graph(0))

    def _operations(self) -> dict[str, Callable[..., Any]]:
        owned = self.owned
        return {
            "call": lambda target, *positional: owned(target)(*positional),
            "call_named": lambda target, named, *positional: owned(target)(*positional, **named),
            "next": self._next,
            "attribute": lambda target, name: getattr(_askable(owned(target), name), name),
            "assign": lambda target, name, value: setattr(_askable(owned(target), name), name, value),
            "delete": lambda target, name: delattr(_askable(owned(target), name), name),
            "operate": lambda target, name, *operands: OPERATIONS[name](_askable(owned(target), ""), *operands),
        }

    def _next(self, target: Any) -> Any:
        return next(self.owned(target))

    _next.may_stop = True  # type: ignore[attr-defined]

    def ask(self, operation: str, target: Any, *operands: Any, live: bool = False, label: str = "") -> Any:
        """See `Peer.ask`."""
        self.touched = True
        if self.lost is not None:
            raise Lost(self.lost)
        result: Any = RAISED
        try:
            result = super().ask(operation, target, *operands, live=live or self._allows(label), label=label)
        except Lost as error:
            self.lost = str(error)
            raise
        finally:
            self.asked = (operation, label, operands, result)
        return result

    def _send(self, message: list[Any], pack: Callable[[Any], Any] | None = None, value: Any = None) -> None:
        self.asked = None  # which objects both sides keep depends on who still holds them: see `Graph.outgoing`
        super()._send(message, pack, value)

    def _allows(self, label: str) -> bool:
        return label in self._objects or ANYWHERE in self._objects

    def call(self, target: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function of the program's."""
        label = _longer(target._label, "()")
        if named:
            return self.ask("call_named", target._number, named, *positional, label=label)
        return self.ask("call", target._number, *positional, label=label)

    def advance(self, iterator: Any) -> Any:
        """The next element of an iterator of the program's. After a few single ones, many cross at once."""
        ahead = iterator._ahead
        if not ahead.elements:
            if ahead.ended:
                raise StopIteration
            most = min(max(1, ahead.taken - _SINGLE_ELEMENTS), _MOST_AHEAD)
            answer = self.ask("next", iterator._number, most, label=_longer(iterator._label, "*"))
            if not (type(answer) is tuple and len(answer) == 2 and type(answer[0]) is tuple and answer[0]):
                raise Lost("the answer is no element")
            ahead.elements, ahead.ended = list(reversed(answer[0])), answer[1] is True
        ahead.taken += 1
        return ahead.elements.pop()

    def ask_object(self, operation: str, target: Any, *operands: Any) -> Any:
        """Ask an object of the program's for one of its parts, where that is allowed."""
        self.touched = True
        if not self._allows(target._label):
            kind = AttributeError if operation != "operate" else TypeError
            self.limit = f"an object of the program may not be asked for {operands[0]!r}"
            raise kind(self.limit)
        self.met[target._label] = None
        name = str(operands[0])
        label = _longer("", f".{name}") if operation == "attribute" else _longer(target._label, _STEPS.get(name, name))
        return self.ask(operation, target._number, *operands, label=label)

    def stand_in(self, tag: str, body: Any) -> Any:
        """Return the stand-in for an object of the program's."""
        if tag == "o":
            return self.owned(body)
        maker = _MAKERS.get(tag)
        if maker is None:
            raise MalformedError(f"an unknown tag {tag!r}")
        if tag not in ("h", "v"):
            return maker(self, *body)
        number = body[tag == "v"]
        if type(number) is not int:
            raise MalformedError("no number")
        if number not in self._stand_ins:
            self._stand_ins[number] = maker(self, *body)
        elif (tag == "v" or body[1] == "object") and self._allows(self.label):
            self.met[self.label] = None
        return self._stand_ins[number]

    def handle(self, number: int, shape: str, name: str, specials: list[str]) -> Any:
        """The stand-in for a function, an iterator or an object."""
        name, label = str(name), self.label
        if shape == "function":
            kind = kind_of(RemoteFunction, _checked(specials)) if specials and self._allows(label) else RemoteFunction
            return kind(self, number, name, label)
        if shape == "iterator":
            live = self._allows(label) and specials
            kind = kind_of(RemoteIterator, _checked(specials) - {"__iter__"}) if live else RemoteIterator
            return kind(self, number, name, label)
        if shape == "object" and self._allows(label):
            self.met[label] = None
            return kind_of(StandIn, _checked(specials) | ALWAYS)(self, number, name, label)
        return Opaque(self, number, name, label, truth=True)

    def value(self, packed: Any, number: int, name: str, specials: list[str]) -> Any:
        """A value of a subclass of an immutable type, which is an object of the program's besides."""
        value = self._decoder.unpack(packed)
        if type(value) not in _FIXED or not self._allows(self.label):
            return value
        self.met[self.label] = None
        fields = {"_peer": self, "_number": number, "_label": self.label, "__name__": str(name)}
        return remote_value(value, _checked(specials) - {"__call__"}, fields)

    def whole(self, shape: str, number: int, name: str, comparable: bool, members: Any) -> Any:
        """A container of the program's own, which crossed whole."""
        if shape == "mapping":
            keys, values = members
            pairs = zip(self._decoder.unpack_items(keys), self._decoder.unpack_items(values), strict=True)
            return WHOLE[shape](number, str(name), dict(pairs), comparable is True)
        return WHOLE[shape](number, str(name), self._decoder.unpack_items(members), comparable is True)

    def with_default(self, packed: Any, default: Any) -> Any:
        """A dict that has a value for every missing key."""
        members = self._decoder.unpack(packed)
        if type(members) not in (dict, OrderedDict):
            raise MalformedError("no dict")
        return WithDefault(members, self._decoder.unpack(default))

    def opaque(self, number: int, name: str, truth: bool) -> Any:
        """An object of which nothing but its truth crossed."""
        return Opaque(self, number, str(name), self.label, truth)

    def text(self, number: int, name: str, truth: bool, text: str, representation: str) -> Any:
        """An object whose texts crossed whole."""
        stand_in = Text(self, number, str(name), self.label, truth)
        object.__setattr__(stand_in, "_text", str(text))
        object.__setattr__(stand_in, "_repr", str(representation))
        return stand_in

    def coroutine(self, number: int) -> Any:
        """A coroutine: it runs to its end when it is waited for."""
        label = _longer(self.label, "()")

        async def wait() -> Any:
            return self.ask("await", number, label=label)

        return wait()

    def export(self, value: Any) -> Any:
        """The JSON form of an object of the tests. Raises UnsendableError."""
        if isinstance(value, StandIn | RemoteValue | WholeSequence | WholeMapping | WholeSet):
            return {"o": value._number}
        packed = _by_name(value) or library.pack(value, self._encoder)
        if packed is not None:
            return packed
        kind = type(value)
        for base in _FIXED:
            if isinstance(value, base) and kind.__module__ == "tests":
                handle = [self.number(value), self._encoder.base(value), kind.__name__, overridden(kind, base)]
                return {"v": handle}
        packed = self._encoder.base(value)
        if packed is not None:
            return packed
        return self._handle(value)

    def _handle(self, value: Any) -> Any:
        kind = type(value)
        if _is_function(value):
            plain = isinstance(value, types.FunctionType)
            signature = signature_of(value, self._encoder.pack) if plain else None
            doc = value.__doc__ if plain else None
            return {"fn": [self.number(value), str(getattr(value, "__name__", kind.__name__)), doc, signature]}
        if isinstance(value, _STREAMS):
            return {"h": [self.number(value), "iterator", kind.__name__, ["__enter__", "__exit__"]]}
        if hasattr(kind, "__next__"):
            return {"h": [self.number(value), "iterator", kind.__name__, []]}
        if kind.__module__ == "tests" and not isinstance(value, type):
            return {"h": [self.number(value), "object", kind.__name__, specials_of(value)]}
        raise UnsendableError(f"a {kind.__name__} of the tests cannot cross to the program")

    def keeps_error(self, error: BaseException) -> int | None:
        """An exception of the tests' is the same one when it comes back."""
        return None if hasattr(error, CROSSED) else self.number(error)


_MAKERS: dict[str, Callable[..., Any]] = {
    "h": TestsPeer.handle,
    "v": TestsPeer.value,
    "w": TestsPeer.whole,
    "m": TestsPeer.with_default,
    "opaque": TestsPeer.opaque,
    "text": TestsPeer.text,
    "k": TestsPeer.coroutine,
}
_STEPS = {"__getitem__": "[]", "__iter__": "*", "__call__": "()"}


def _longer(label: str, step: str) -> str:
    """The label of what is one step further; a step that is taken again and again counts once."""
    return label if label.endswith(step) and step in ("[]", "*") else (label + step)[-_LABEL_LENGTH:]


def labels(met: dict[str, None]) -> list[str]:
    """Labels as they are kept with the problem: every place, where there are too many."""
    return list(met) if len(met) <= _MOST_LABELS else [ANYWHERE]


def _checked(specials: Any) -> frozenset[str]:
    names = frozenset(specials)
    if not names <= OPERATIONS.keys() | {"__call__"}:
        raise MalformedError("no special method")
    return names


def _askable(value: Any, name: str) -> Any:
    """`value`, where the program may ask it. Raises AttributeError."""
    if isinstance(value, _STREAMS) and name in _STREAM_NAMES:
        return value
    if type(value).__module__ == "tests" and not name.startswith("_") and not isinstance(value, type):
        return value
    raise AttributeError(f"{type(value).__name__!r} object may not be asked for {name!r}")


def _by_name(value: Any) -> Any:
    """The form of what the program has itself: functions and classes of Python's library."""
    kind = type(value)
    if kind in _BUILTIN_FUNCTIONS and value.__self__ is builtins:
        return {"y": value.__name__}
    module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if kind in _DESCRIPTORS:
        module, path = value.__objclass__.__module__, value.__qualname__
    elif kind in _BUILTIN_FUNCTIONS and isinstance(value.__self__, types.ModuleType):
        module = value.__self__.__name__
    elif kind in _BUILTIN_FUNCTIONS and isinstance(value.__self__, type):  # dict.fromkeys
        module = value.__self__.__module__
    elif not isinstance(value, types.FunctionType | type):
        return None
    if not isinstance(module, str) or not isinstance(path, str) or "<" in path:
        return None
    if module.partition(".")[0] not in sys.stdlib_module_names or _looked_up(module, path) != value:
        return None
    return {"q": [module, path]}


def _looked_up(module: str, path: str) -> Any:
    value: Any = sys.modules.get(module)
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def _is_function(value: Any) -> bool:
    """Return whether a program may call an object of the tests. Those that lead to others may not."""
    if isinstance(value, types.FunctionType | types.LambdaType):
        return True
    if isinstance(value, types.MethodType):
        return isinstance(value.__func__, types.FunctionType)
    if isinstance(value, _BUILTIN_FUNCTIONS):
        owner = type(value.__self__)
        return (owner in _CONTAINERS or owner in _STREAMS or _is_collection(owner)) and not value.__name__.startswith(
            "__"
        )
    if isinstance(value, partial):
        return _is_function(value.func) or _by_name(value.func) is not None
    if isinstance(value, type):
        return value.__module__ == "tests"
    kind = type(value)
    return callable(value) and (kind.__module__ in ("tests", "operator") or hasattr(value, "__wrapped__"))


def _is_collection(kind: type) -> bool:
    return kind.__module__ == "collections"
