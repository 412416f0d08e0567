"""Giving a program its input and taking what it prints, both at once, so that neither side waits for the other."""

import os
import select
from contextlib import suppress

_CHUNK_BYTES = 65536
_ERROR_BYTES = 8000  # an interpreter that dies prints its stack below the reason


def converse(fds: tuple[int, int, int], given: bytes, limit: int) -> tuple[bytes | None, bytes]:
    """Talk to a program until nobody holds the other ends of its output and errors; closes all three descriptors.

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
                if size > limit:  # no more is read: whoever goes on writing fails
                    printed = None
                    _close(poller, fd)
                    listening.discard(fd)
    if rest:
        _close(poller, into)
    return None if printed is None else b"".join(printed), complaint


def _feed(poller: select.poll, fd: int, rest: memoryview) -> memoryview:
    """Write what can be written. Closes `fd` when nothing is left, or nobody reads."""
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
