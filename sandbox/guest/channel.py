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
"""What is read at once: most messages whole."""

_decoder: Any = json.JSONDecoder()
_scan = _decoder.scan_once  # `decode` skips white space before and after, with two regular expressions


def _refuse(value: Any) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not JSON")


def _make_encoder() -> Callable[[Any], str]:
    """The encoder behind `json.dumps`, made once: `JSONEncoder.encode` makes it anew for every message."""
    module: Any = json.encoder
    make = module.c_make_encoder
    if make is None:  # an interpreter without the accelerator
        return json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
    encode = make(None, _refuse, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True)
    return lambda message: "".join(encode(message, 0))


_encode_json = _make_encoder()


def _encode(message: list[Any]) -> str:
    try:
        return _encode_json(message)
    except ValueError:  # an integer longer than the interpreter likes to write
        return str(_with_long_integers(_encode_json, message))


def _decode(text: str) -> Any:
    try:
        return _decode_json(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _with_long_integers(_decode_json, text)


def _decode_json(text: str) -> Any:
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise json.JSONDecodeError("no value", text, 0) from None
    if end != len(text):
        raise json.JSONDecodeError("more than one value", text, end)
    return value


def _with_long_integers(function: Callable[[Any], Any], argument: Any) -> Any:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return function(argument)
    finally:
        sys.set_int_max_str_digits(limit)  # the program may rely on it


class Lost(BaseException):
    """The other process has gone, or broke the rules of the channel.

    Not an Exception: a test that expects some exception must not take a lost candidate for it.
    """


class Channel:
    """One end of a connected stream socket."""

    def __init__(self, fd: int, limit: int) -> None:
        """Messages longer than `limit` bytes are refused when they are received."""
        self._fd = fd
        self._limit = limit
        self._ahead = b""  # read, and of a later message

    def send(self, message: list[Any]) -> None:
        """Send one message. Raises Lost."""
        body = _encode(message).encode("ascii")
        try:
            wire.write_all(self._fd, len(body).to_bytes(_LENGTH_BYTES, "big") + body)
        except (wire.StreamError, OSError) as error:
            raise Lost("the channel is closed") from error

    def receive(self) -> list[Any]:
        """Wait for one message. Raises Lost, also for bytes that are no message."""
        try:
            message = _decode(self._body().decode("ascii"))
        except (wire.StreamError, OSError) as error:
            raise Lost("the channel is closed") from error
        except (ValueError, RecursionError) as error:
            raise Lost("the answer is no message") from error
        if type(message) is not list or not message:
            raise Lost("the answer is no message")
        return message

    def _body(self) -> bytes:
        """The bytes of the next message."""
        data = self._ahead or os.read(self._fd, _READ_BYTES)
        if len(data) < _LENGTH_BYTES:
            data += wire.read_exact(self._fd, _LENGTH_BYTES - len(data))
        size = int.from_bytes(data[:_LENGTH_BYTES], "big")
        if size > self._limit:
            raise Lost(f"an answer of {size} bytes is more than may cross")
        end = _LENGTH_BYTES + size
        if len(data) < end:
            data += wire.read_exact(self._fd, end - len(data))
        self._ahead = data[end:]
        return data[_LENGTH_BYTES:end]


def close_all_but(keep: tuple[int, ...]) -> None:
    """Close every descriptor above 2 that is not in `keep`."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, DESCRIPTORS)
