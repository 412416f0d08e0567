"""The streams of a whole program: its input is written, its output read and compared with what is expected.

All of it happens in the examiner, from bytes: no object of the program takes part in the comparison.
"""

import os
import select
from collections.abc import Callable
from contextlib import suppress

_CHUNK_BYTES = 65536
_ERROR_BYTES = 8000  # an interpreter that dies prints its stack below the reason
_TOLERANCE = 1e-6
_SHOWN = 60


def converse(fds: tuple[int, int, int], given: bytes, limit: int) -> tuple[bytes | None, bytes]:
    """Feed a program, and read its output and errors until their other ends are closed. Closes all descriptors.

    Returns what it printed, or None where that was more than `limit` bytes, and the end of what it complained.
    """
    into, out, err = fds
    os.set_blocking(into, False)
    poller = select.poll()
    rest = _feed(poller, into, memoryview(given))
    if rest:
        poller.register(into, select.POLLOUT)
    for fd in (out, err):
        poller.register(fd, select.POLLIN)
    printed: list[bytes] | None = []
    size, complaint, listening = 0, b"", {out, err}
    while listening:
        for fd, _ in poller.poll():
            if fd == into:
                rest = _feed(poller, into, rest)
                continue
            chunk = os.read(fd, _CHUNK_BYTES)
            if not chunk:
                _close(poller, fd)
                listening.discard(fd)
            elif fd == err:
                complaint = (complaint + chunk)[-_ERROR_BYTES:]
            elif printed is not None:
                printed.append(chunk)
                size += len(chunk)
                if size > limit:  # no more is read, and further writes fail
                    printed = None
                    _close(poller, fd)
                    listening.discard(fd)
    if rest:
        _close(poller, into)
    return None if printed is None else b"".join(printed), complaint


def _feed(poller: select.poll, fd: int, rest: memoryview) -> memoryview:
    """Write what can be written. Closes `fd` when nothing is left, or the other end is closed."""
    try:
        rest = rest[os.write(fd, rest) :] if rest else rest
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        rest = rest[:0]
    if not rest:
        _close(poller, fd)
    return rest


def _close(poller: select.poll, fd: int) -> None:
    with suppress(KeyError):  # it may never have been waited for
        poller.unregister(fd)
    os.close(fd)


def difference(rule: str, printed: bytes, expected: bytes) -> str:
    """Return the first difference between `printed` and `expected` in a few words; "" for none."""
    split, same = _RULES[rule]
    found, wanted = split(printed), split(expected)
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), start=1):
        if not same(one, other):
            return f"{_unit(rule)} {number} is {_show(one)}, not {_show(other)}"
    if len(found) != len(wanted):
        return f"{len(found)} {_unit(rule)}s, not {len(wanted)}"
    return ""


def _tokens(text: bytes) -> list[bytes]:
    return text.split()


def _lines(text: bytes) -> list[bytes]:
    """Lines without white space at their ends, and without empty ones at the end."""
    lines = [line.rstrip() for line in text.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_bytes(one: bytes, other: bytes) -> bool:
    return one == other


def _same_numbers(one: bytes, other: bytes) -> bool:
    """Equal, or both decimal numbers that differ by 1e-6 at most, absolutely or relative to the expected one."""
    if one == other:
        return True
    if b"_" in one:  # Python's own way to write a number
        return False
    try:
        found, wanted = float(one), float(other)
    except ValueError:
        return False
    return abs(found - wanted) <= _TOLERANCE * max(1.0, abs(wanted)) < float("inf")


def _unit(rule: str) -> str:
    return "line" if rule == "lines" else "token"


def _show(text: bytes) -> str:
    shown = text[:_SHOWN].decode("utf-8", "replace")
    return repr(shown) + ("..." if len(text) > _SHOWN else "")


_RULES: dict[str, tuple[Callable[[bytes], list[bytes]], Callable[[bytes, bytes], bool]]] = {
    "tokens": (_tokens, _same_bytes),
    "lines": (_lines, _same_bytes),
    "numbers": (_tokens, _same_numbers),
}
