"""Calls across the channel. Both ends are alike: each may ask the other, and serves what it is asked meanwhile.

What cannot cross by value stays where it is and crosses as a number. The other side gets a stand-in, which passes
calls, iteration and attribute access on, and which may not be compared: a comparison would have to be decided by
whoever owns the object.
"""

import builtins
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from .channel import Channel, Lost
from .codec import Decoder, MalformedError, pack, pack_items
from .library import UnsendableError

CROSSED = "__crossed__"
"""The attribute that marks an exception as one of the program's."""

_EXCEPTIONS = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type)
    and issubclass(value, Exception)
    and not issubclass(value, StopIteration | StopAsyncIteration)
}


class Kept:
    """Wraps a value that must stay on this side even if it could cross, as a built-in function could."""

    def __init__(self, value: Any) -> None:
        """`value` crosses as a handle."""
        self.value = value


class Peer:
    """One end of the conversation."""

    def __init__(self, channel: Channel, serves: dict[str, Callable[..., Any]], shares: frozenset[str]) -> None:
        """Set up one end.

        `serves` says which operations the other side may ask for; each gets the target and the operands. `shares` says
        which shapes of objects may be handed out: "function", "iterator", "object".
        """
        self._channel = channel
        self._serves = serves
        self._shares = shares
        self._exported: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._decoder = Decoder(self._stand_in)

    def ask(self, operation: str, target: Any, *operands: Any) -> Any:
        """Have the other side do `operation` and return its result, or raise what it raised. Raises Lost."""
        self.post(operation, target, *operands)
        return self.answer(operation == "next")

    def post(self, operation: str, target: Any, *operands: Any) -> None:
        """The first half of `ask`: send the question."""
        self._channel.send(["ask", operation, target, pack_items(operands, self._export)])

    def answer(self, may_stop: bool = False) -> Any:
        """The second half of `ask`: wait for the answer, serving what is asked meanwhile.

        An iterator alone may stop: were a call to end with StopIteration, `all(map(candidate, xs))` would be true.
        """
        while True:
            message = self._channel.receive()
            kind = message[0]
            if kind == "value" and len(message) == 2:
                return self._unpack(self._decoder.unpack, message[1])
            if kind == "ask":
                self._serve(message)
            elif kind == "stop" and may_stop:
                raise StopIteration
            else:
                self._raise(kind, message[1:])

    def serve_forever(self) -> NoReturn:
        """Serve the other side until it is gone, then raise Lost."""
        while True:
            message = self._channel.receive()
            if message[0] != "ask":
                raise Lost("an answer to no question")
            self._serve(message)

    def owned(self, number: Any) -> Any:
        """The object of this side that crossed as `number`."""
        if type(number) is not int or not 0 <= number < len(self._exported):
            raise Lost("no such object")
        return self._exported[number]

    def _serve(self, question: list[Any]) -> None:
        try:
            _, operation, target, packed = question
            handler = self._serves[operation]
        except (ValueError, TypeError, KeyError):
            raise Lost("a question that may not be asked") from None
        try:
            operands = self._unpack(self._decoder.unpack_items, packed)
            reply = ["value", pack(handler(target, *operands), self._export)]
        except StopIteration as error:
            stops = getattr(handler, "may_stop", False)
            reply = ["stop"] if stops else _raised(RuntimeError(f"StopIteration: {error}"))
        except Exception as error:  # noqa: BLE001 - whatever the program raised is its answer
            reply = _raised(error)
        except Lost:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and its like: the program has left
            reply = ["left", f"{type(error).__name__}: {_text(error)}"]
        self._channel.send(reply)

    def _unpack(self, unpack: Callable[[Any], Any], data: Any) -> Any:
        try:
            return unpack(data)
        except (MalformedError, RecursionError) as error:
            raise Lost(f"the answer is no value: {error}") from None

    def _raise(self, kind: Any, rest: list[Any]) -> NoReturn:
        if kind == "left":
            raise Lost(_text(rest[0])[:200] if rest else "")
        if kind != "raised" or len(rest) != 3 or type(rest[0]) is not str:
            raise Lost("the answer is no message")
        raise _exception(rest[0], self._unpack(_ARGUMENTS.unpack_items, rest[1]), _text(rest[2]))

    def _export(self, value: Any) -> list[Any]:
        if isinstance(value, StandIn):
            return [value._number]
        if type(value) is Kept:
            value = value.value
        shape = _shape(value)
        if shape not in self._shares:
            raise UnsendableError(f"a {type(value).__name__} cannot cross to the program")
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._exported)
            self._exported.append(value)
        return [number, shape, str(getattr(value, "__name__", ""))]

    def _stand_in(self, body: Any) -> Any:
        number, *rest = body
        if not rest:
            return self.owned(number)
        shape, name = rest
        return _SHAPES[shape](self, number, name)


def _shape(value: Any) -> str:
    if hasattr(type(value), "__next__"):
        return "iterator"
    return "function" if callable(value) else "object"


def _text(said: object) -> str:
    try:
        return str(said)[:1000]
    except Exception:  # noqa: BLE001 - the program's own __str__ may do anything
        return ""


def _raised(error: BaseException) -> list[Any]:
    """How an exception crosses: by the nearest built-in class, with its arguments where they are plain."""
    name = next((base.__name__ for base in type(error).__mro__ if _EXCEPTIONS.get(base.__name__) is base), "Exception")
    try:
        arguments = pack(list(error.args), _refuse)
    except Exception:  # noqa: BLE001 - the program's own exception may do anything
        arguments = []
    return ["raised", name, arguments, _text(error)]


def _refuse(value: Any) -> NoReturn:
    raise UnsendableError(f"{type(value).__name__} cannot cross here")


_ARGUMENTS = Decoder(_refuse)
"""Reads the arguments of exceptions: plain values, or else whoever prints one would have to ask the program."""


def _exception(name: str, arguments: list[Any], text: str) -> Exception:
    kind = _EXCEPTIONS.get(name)
    if kind is None:
        raise Lost("the answer names no exception")
    try:
        error = kind(*arguments)
        if _text(error) != text:  # a class of the program's own says it in its own words
            error = type(name, (kind,), {"__str__": lambda _: text})(*arguments)
    except Exception:  # noqa: BLE001 - the arguments are of the program's making
        error = RuntimeError(text)
    setattr(error, CROSSED, True)
    return error


class StandIn:
    """Stands for an object of the other side. Cannot be compared, hashed or copied."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, peer: Peer, number: int, name: str) -> None:
        """Made by the decoder only."""
        self._peer = peer
        self._number = number
        self.__name__ = name

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("an object of the program cannot be compared from outside")

    def __ne__(self, other: object) -> NoReturn:
        raise TypeError("an object of the program cannot be compared from outside")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an object of the program cannot be copied from outside")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.ask("attribute", self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_peer", "_number", "__name__"):
            object.__setattr__(self, name, value)
        else:
            self._peer.ask("assign", self._number, name, value)

    def __call__(self, *positional: Any, **named: Any) -> Any:
        if named:
            return self._peer.ask("call_named", self._number, named, *positional)
        return self._peer.ask("call", self._number, *positional)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._peer.ask("iterate", self._number))

    def __bool__(self) -> bool:
        return bool(self._peer.ask("truth", self._number))

    def __str__(self) -> str:
        return str(self._peer.ask("text", self._number))

    __repr__ = __str__

    def __len__(self) -> int:
        return int(self._peer.ask("length", self._number))

    def __getitem__(self, key: Any) -> Any:
        return self._peer.ask("item", self._number, key)


class RemoteIterator(StandIn):
    """Stands for an iterator: iterating asks for one element at a time."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._peer.ask("next", self._number)


class RemoteFunction(StandIn):
    """Stands for a function: true, as a function is, without asking."""

    def __bool__(self) -> bool:
        return True


_SHAPES: dict[str, type[StandIn]] = {"iterator": RemoteIterator, "function": RemoteFunction, "object": StandIn}
