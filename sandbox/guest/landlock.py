"""Landlock: a process gives up access to files and sockets, for itself and for all that it starts.

The interface is that of the kernel's `linux/landlock.h`; its system calls have the same numbers on every machine.
"""

import os
import sys
from collections.abc import Iterable

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
CHANGE_DIR = 0x1FF0  # removing files and folders, and making them of every kind
REFER = 1 << 13  # renaming and linking from one folder to another
TRUNCATE = 1 << 14

_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
_SINCE = {REFER: 2, TRUNCATE: 3}
"""The version of the interface that a right came with; the others came with the first."""

_TCP, _TCP_SINCE = 0b11, 4  # binding and connecting
_SCOPES, _SCOPES_SINCE = 0b11, 6  # abstract sockets and signals, of processes that are not restricted likewise

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION, _PATH_BENEATH = 1, 1


def restrict(rights: int, allowed: Iterable[tuple[str, int]], scoped: bool = False, tcp: bool = True) -> bool:
    """Give up `rights` everywhere but at the paths that are `allowed` some of them, and below those.

    With `scoped`, signals and abstract sockets to processes outside are given up too, and so is TCP unless `tcp`.
    Returns whether the kernel can do that; a process must have no way to new privileges before. Raises OSError.
    """
    import ctypes  # by the zygote only

    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    if version < 1 + bool(rights & REFER):  # without it, nothing could be renamed between folders
        return False
    rights &= ~sum(right for right, since in _SINCE.items() if version < since)
    fields = [rights]
    if version >= _TCP_SINCE:
        fields.append(0 if tcp else _TCP)
    if version >= _SCOPES_SINCE:
        fields.append(_SCOPES if scoped else 0)
    attributes = (ctypes.c_uint64 * len(fields))(*fields)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.sizeof(attributes), 0)
    try:
        done = ruleset >= 0 and all(_allow(libc, ruleset, path, some & rights) for path, some in allowed)
        if not done or libc.syscall(_RESTRICT_SELF, ruleset, 0):
            raise OSError(ctypes.get_errno(), "Landlock refuses a rule")
    finally:
        if ruleset >= 0:
            os.close(ruleset)
    return True


def _allow(libc: object, ruleset: int, path: str, rights: int) -> bool:
    import ctypes

    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # there is nothing at this path to be allowed
        return True
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - not through pathlib, see processes.py
            rights &= _OF_FILES
        rule = rights.to_bytes(8, sys.byteorder) + fd.to_bytes(4, sys.byteorder)
        syscall = getattr(libc, "syscall")  # noqa: B009 - it has no type
        return bool(syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.c_char_p(rule), 0) == 0)
    finally:
        os.close(fd)
