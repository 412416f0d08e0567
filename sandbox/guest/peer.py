"""Calls across the channel. Both ends are alike: each may ask the other, and serves what it is asked meanwhile.

What cannot cross by value stays where it is and crosses as a number. The other side gets a stand-in, which passes on
what it is asked. Which objects cross so, and what a stand-in may be asked, each end decides for itself.
"""

import _thread
from collections.abc import Callable
from typing import Any, NoReturn

from .channel import Channel, Lost
from .codec import Decoder, Encoder, MalformedError
from .exceptions import CROSSED, pack_exception, text_of, unpack_exception
from .graph import Graph, UnknownObjectError
from .library import UnsendableError


class Kept:
    """Wraps a value that must stay on this side even if it could cross, as a built-in function could."""

    def __init__(self, value: Any) -> None:
        """`value` crosses as a handle."""
        self.value = value


class Peer:
    """One end of the conversation.

    A message is a list: its kind, the news of the graph (see `Graph.outgoing`), and what the kind has to say.
    """

    def __init__(self, channel: Channel, serves: dict[str, Callable[..., Any]]) -> None:
        """`serves` says which operations the other side may ask for; each gets the target and the operands."""
        self._channel = channel
        self._serves = serves
        self._exported: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._turn = _thread.RLock()  # the tests, and the program, may have threads
        self.graph: Graph | None = None
        self.live = False  # whether the answer that is being made may be an object
        self.label = ""  # of the answer that is being read
        self.touched = False  # whether the other side has been asked anything
        self.use_graph(None)

    def use_graph(self, graph: Graph | None) -> None:
        """Keep objects the same on both sides from now on, or cross as copies (None)."""
        self.graph = graph
        self._encoder = Encoder(self.export, graph)
        self._decoder = Decoder(self.stand_in, graph)

    def ask(self, operation: str, target: Any, *operands: Any, live: bool = False, label: str = "") -> Any:
        """Have the other side do `operation` and return its result, or raise what it raised. Raises Lost.

        With `live` the result may be an object of the other side's. `label` says how the result came about.
        """
        with self._turn:
            self.post(operation, target, *operands, live=live)
            return self.answer(operation == "next", label)

    def post(self, operation: str, target: Any, *operands: Any, live: bool = False) -> None:
        """The first half of `ask`: send the question."""
        self._send(["ask", None, operation, target, live], self._encoder.items, operands)

    def answer(self, may_stop: bool = False, label: str = "") -> Any:
        """The second half of `ask`: wait for the answer, serving what is asked meanwhile.

        An iterator alone may stop: were a call to end with StopIteration, `all(map(candidate, xs))` would be true.
        """
        while True:
            message = self._channel.receive()
            kind = message[0]
            if kind == "value" and len(message) == 3:
                self.label = label
                return self._receive(self._decoder.unpack, message, 2)
            if kind == "ask":
                self._serve(message)
                continue
            self._take_news(message)
            if kind == "stop" and may_stop:
                raise StopIteration
            self._raise(kind, message[2:])

    def serve_forever(self) -> NoReturn:
        """Serve the other side until it is gone, then raise Lost."""
        while True:
            with self._turn:
                message = self._channel.receive()
            if message[0] != "ask":
                raise Lost("an answer to no question")
            self._serve(message)

    def owned(self, number: Any) -> Any:
        """The object of this side that crossed as `number`."""
        if type(number) is not int or not 0 <= number < len(self._exported):
            raise Lost("no such object")
        return self._exported[number]

    def number(self, value: Any) -> int:
        """The number as which an object of this side crosses."""
        if type(value) is Kept:
            value = value.value
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._exported)
            self._exported.append(value)
        return number

    def export(self, value: Any) -> Any:
        """The JSON form of what is no plain value. Raises UnsendableError."""
        raise UnsendableError(f"a {type(value).__name__} cannot cross to the program")

    def stand_in(self, tag: str, body: Any) -> Any:
        """Return the stand-in for the other side's object. Raises MalformedError."""
        raise MalformedError(f"an unknown tag {tag!r}")

    def _serve(self, question: list[Any]) -> None:
        try:
            _, _, operation, target, live, _ = question
            handler = self._serves[operation]
        except (ValueError, TypeError, KeyError):
            raise Lost("a question that may not be asked") from None
        operands = self._receive(self._decoder.unpack_items, question, 5)
        reply: list[Any]
        try:
            result = handler(target, *operands)
            del operands
            with self._turn:
                self.live = live is True
                self._send(["value", None], self._encoder.pack, result)
            return
        except StopIteration as error:
            stops = getattr(handler, "may_stop", False)
            reply = ["stop", None] if stops else self._raised(RuntimeError(f"StopIteration: {error}"))
        except Exception as error:  # noqa: BLE001 - whatever the program raised is its answer
            reply = self._raised(error)
        except Lost:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and its like: the program has left
            reply = ["left", None, f"{type(error).__name__}: {text_of(error)}"]
        with self._turn:
            self._send(reply)

    def _send(self, message: list[Any], pack: Callable[[Any], Any] | None = None, value: Any = None) -> None:
        """Send a message, with a packed value at its end."""
        graph = self.graph
        try:
            if pack is not None:
                message.append(pack(value))
            if graph is not None:
                message[1] = graph.outgoing(self._encoder.content)
        except BaseException:
            if graph is not None:
                graph.take_back()
            raise
        self._channel.send(message)

    def _receive(self, unpack: Callable[[Any], Any], message: list[Any], place: int) -> Any:
        try:
            value = unpack(message[place])
            if self.graph is not None:
                self.graph.incoming(message[1], self._decoder.unpack_content)
        except (MalformedError, UnknownObjectError, RecursionError, TypeError, ValueError) as error:
            raise Lost(f"the answer is no value: {error}") from None
        return value

    def _take_news(self, message: list[Any]) -> None:
        if self.graph is not None:
            self._receive(lambda _: None, message if len(message) > 1 else [None, None], 0)

    def _raised(self, error: BaseException) -> list[Any]:
        """An exception that crosses: itself, its number here where it may come back, its number there where it does."""
        crossed = getattr(error, CROSSED, None)
        theirs = crossed if type(crossed) is int else None
        return ["raised", None, pack_exception(error), self.keeps_error(error), theirs]

    def keeps_error(self, error: BaseException) -> int | None:
        """The number of an exception that is to be the same one when it comes back; None where it need not."""
        del error
        return None

    def _raise(self, kind: Any, rest: list[Any]) -> NoReturn:
        if kind == "left":
            raise Lost(text_of(rest[0])[:200] if rest else "")
        if kind != "raised" or len(rest) != 3:
            raise Lost("the answer is no message")
        packed, number, own = rest
        if type(own) is int:
            error = self.owned(own)
            if not isinstance(error, Exception):
                raise Lost("the answer is no exception")
            raise error
        try:
            error = unpack_exception(packed)
        except (MalformedError, RecursionError, TypeError, ValueError) as reason:
            raise Lost(f"the answer is no exception: {reason}") from None
        if type(number) is int:
            setattr(error, CROSSED, number)
        raise error
