"""The narrow channel between examiner and candidate: JSON messages with a length before them.

JSON, because its decoder is safe on hostile bytes (marshal and pickle are not) and is written in C.
"""

import json.encoder
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from . import wire

DESCRIPTORS = 1 << 20
"""No descriptor has a higher number."""

_LENGTH_BYTES = 4
_READ_BYTES = 4096
"""The bytes that are read at once: most messages whole."""

_CODING = ("utf-8", "surrogatepass")
"""Not ASCII: escaped, two halves of a character would arrive as the one that they are halves of."""

_decoder: Any = json.JSONDecoder(parse_constant=float)  # or every NaN would be the same object, equal in lists
_scan = _decoder.scan_once  # `decode` skips white space before and after, with two regular expressions


def _refuse(value: Any) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not JSON")


def _make_encoder() -> Callable[[Any], str]:
    """The encoder behind `json.dumps`, made once: `JSONEncoder.encode` makes it anew for every message."""
    module: Any = json.encoder
    make = module.c_make_encoder
    if make is None:  # an interpreter without the accelerator
        return json.JSONEncoder(separators=(",", ":"), check_circular=False, ensure_ascii=False).encode
    encode = make(None, _refuse, module.encode_basestring, None, ":", ",", False, False, True)
    return lambda message: "".join(encode(message, 0))


_encode = _make_encoder()


def _with_long_integers(function: Callable[[Any], Any], argument: Any) -> Any:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return function(argument)
    finally:
        sys.set_int_max_str_digits(limit)  # the program may rely on it


def _scan_again(text: str) -> tuple[Any, int]:
    try:
        value, end = _scan(text, 0)
    except (StopIteration, ValueError) as error:
        raise Lost("the answer is no message") from error
    return value, end


class Lost(BaseException):
    """The other process has gone, or broke the rules of the channel.

    Not an Exception: a test that expects some exception must not take a lost candidate for it.
    """


class TooLong(Lost):
    """A message is longer than the channel carries."""


class Channel:
    """One end of a connected stream socket.

    A call of the program is two messages, and most programs do little else: the usual way through here is short.
    """

    def __init__(self, fd: int, limit: int) -> None:
        """Messages longer than `limit` bytes are refused when they are received."""
        self._fd = fd
        self._limit = limit
        self._ahead = b""  # read, and of a later message

    def send(self, message: list[Any]) -> None:
        """Send one message. Raises Lost."""
        try:
            body = _encode(message).encode(*_CODING)
        except ValueError:  # an integer longer than the interpreter likes to write
            body = _with_long_integers(_encode, message).encode(*_CODING)
        try:
            wire.write_all(self._fd, len(body).to_bytes(_LENGTH_BYTES, "big") + body)
        except (wire.StreamError, OSError) as error:
            raise Lost("the channel is closed") from error

    def receive(self) -> list[Any]:
        """Wait for one message. Raises Lost, also for bytes that are no message."""
        try:
            data, self._ahead = self._ahead or os.read(self._fd, _READ_BYTES), b""
            size = int.from_bytes(data[:_LENGTH_BYTES], "big")
            if len(data) != _LENGTH_BYTES + size or size > self._limit:
                data = self._one_message(data)
            text = data[_LENGTH_BYTES:].decode(*_CODING)
            message, end = _scan(text, 0)
        except (wire.StreamError, OSError) as error:
            raise Lost("the channel is closed") from error
        except (StopIteration, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Lost("the answer is no message") from error
        except ValueError:  # an integer longer than the interpreter likes to read
            message, end = _with_long_integers(_scan_again, text)
        if type(message) is not list or not message or end != len(text):
            raise Lost("the answer is no message")
        return message

    def close(self) -> None:
        """Close this end. Unread messages of the other end are lost."""
        os.close(self._fd)

    def _one_message(self, data: bytes) -> bytes:
        """The bytes of one message, with its length before it, where they are not what was read at once."""
        if len(data) < _LENGTH_BYTES:
            data += wire.read_exact(self._fd, _LENGTH_BYTES - len(data))
        size = int.from_bytes(data[:_LENGTH_BYTES], "big")
        if size > self._limit:
            raise TooLong(f"an answer of {size:,} bytes is more than the {self._limit:,} that may cross")
        end = _LENGTH_BYTES + size
        if len(data) < end:
            data += wire.read_exact(self._fd, end - len(data))
        self._ahead = data[end:]
        return data[:end]


def close_all_but(keep: tuple[int, ...]) -> None:
    """Close every descriptor above 2 that is not in `keep`."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, DESCRIPTORS)
