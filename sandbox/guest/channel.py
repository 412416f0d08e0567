"""The narrow channel between examiner and candidate: JSON messages with a length before them.

JSON, because its decoder is safe on hostile bytes (marshal and pickle are not) and is written in C.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from . import wire

_LENGTH_BYTES = 4
_decode_json = json.JSONDecoder().decode
_encode_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


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
            size = int.from_bytes(wire.read_exact(self._fd, _LENGTH_BYTES), "big")
            if size > self._limit:
                raise Lost(f"an answer of {size} bytes is more than may cross")
            message = _decode(wire.read_exact(self._fd, size).decode("ascii"))
        except (wire.StreamError, OSError) as error:
            raise Lost("the channel is closed") from error
        except (ValueError, RecursionError) as error:
            raise Lost("the answer is no message") from error
        if type(message) is not list or not message:
            raise Lost("the answer is no message")
        return message


def pair() -> tuple[int, int]:
    """The descriptors of two connected ends."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return here.detach(), there.detach()


def close_all_but(keep: tuple[int, ...]) -> None:
    """Close every descriptor above 2 that is not in `keep`."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 1 << 20)
