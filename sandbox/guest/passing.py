"""Sockets between the guest's own processes, and descriptors passed over them.

Made of `_socket`, on which the module `socket` is built: that one brings `selectors`, `array` and hundreds of constants
as enumerations, and what the zygote holds every fork pays for.
"""

import _socket
import os
import struct
import sys

Socket = _socket.socket

_FD_BYTES = 4
_ANCILLARY_BYTES = _socket.CMSG_SPACE(4 * _FD_BYTES)


def message_pair() -> tuple[Socket, Socket]:
    """Two connected ends over which whole messages travel."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)


def stream_pair() -> tuple[int, int]:
    """The descriptors of two connected ends over which bytes travel."""
    here, there = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    return here.detach(), there.detach()


def program_pair() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two ends, the second of which is a program's: a channel, then standard input, output and errors."""
    here, there = stream_pair()
    (take_in, give_in), (take_out, give_out), (take_err, give_err) = os.pipe(), os.pipe(), os.pipe()
    for fd in (take_in, give_out, give_err):
        os.fchmod(fd, 0o666)  # the program's user may open /dev/stdin, which asks for the right to
    return (here, give_in, take_out, take_err), (there, take_in, give_out, give_err)


def set_patience(socket: Socket, seconds: int) -> None:
    """Make a send fail that waits longer than `seconds` for the other end."""
    socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, struct.pack("ll", seconds, 0))


def give(socket: Socket, parts: tuple[bytes | memoryview, ...], fds: tuple[int, ...]) -> None:
    """Send one message, in parts, and up to four descriptors. Raises OSError where the other end does not take it."""
    packed = b"".join([fd.to_bytes(_FD_BYTES, sys.byteorder) for fd in fds])
    socket.sendmsg(parts, [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if fds else [])


def take(socket: Socket, size: int) -> tuple[bytes, list[int]]:
    """Wait for a message of at most `size` bytes and its descriptors; (b"", []) where the other end is gone."""
    message, ancillary, _, _ = socket.recvmsg(size, _ANCILLARY_BYTES, _socket.MSG_CMSG_CLOEXEC)
    packed = ancillary[0][2] if ancillary else b""
    starts = range(0, len(packed), _FD_BYTES)
    return message, [int.from_bytes(packed[start : start + _FD_BYTES], sys.byteorder) for start in starts]
