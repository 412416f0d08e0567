"""Sockets between the guest's own processes, and descriptors passed over them.

Made of `_socket`, on which the module `socket` is built: that one brings `selectors`, `array` and hundreds of constants
as enumerations, and what the zygote holds every fork pays for.
"""

import _socket
import sys

Socket = _socket.socket

_FD_BYTES = 4
_ROOM = _socket.CMSG_SPACE(_FD_BYTES)


def message_pair() -> tuple[Socket, Socket]:
    """Two connected ends over which whole messages travel."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)


def stream_pair() -> tuple[int, int]:
    """The descriptors of two connected ends over which bytes travel."""
    here, there = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    return here.detach(), there.detach()


def give(socket: Socket, message: bytes, fd: int) -> None:
    """Send a message and a descriptor. Raises OSError where nobody is at the other end."""
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(_FD_BYTES, sys.byteorder))
    socket.sendmsg([message], [rights])


def take(socket: Socket, size: int) -> tuple[bytes, int]:
    """Wait for a message of at most `size` bytes and its descriptor; (b"", -1) where the other end is gone."""
    message, ancillary, _, _ = socket.recvmsg(size, _ROOM, _socket.MSG_CMSG_CLOEXEC)
    fd = int.from_bytes(ancillary[0][2], sys.byteorder) if ancillary else -1
    return message, fd
