"""The frames that host and guest exchange. Fixed sizes, so that the supervisor never has to look at a program.

Host to guest: one `JobHeader`, then `body_bytes` bytes of JSON that only the examiner reads.
Guest to host: a `FrameHeader`, then `size` bytes. READY once, BEAT while a program runs, DETAIL from the examiner, and
RESULT when the room is empty again.
"""

import os
import struct
from enum import IntEnum
from typing import NamedTuple

PIPE_ATOMIC = 4096
"""Two processes write to one pipe: a frame no longer than this arrives in one piece."""

DETAIL_BYTES = 2000


class Kind(IntEnum):
    """What a frame from the guest says."""

    READY = 1
    BEAT = 2
    DETAIL = 3
    RESULT = 4


class Verdict(IntEnum):
    """How a program ended, as one byte."""

    NONE = 0  # no verdict was given: the sandbox is to blame
    PASSED = 1
    FAILED = 2
    ERROR = 3
    SYNTAX = 4
    TIMEOUT = 5
    MEMORY = 6
    EXITED = 7
    UNTESTED = 8
    NEXT = 9  # this case of a program held: run the program again for the next one
    UNSUPPORTED = 10  # the tests need what their mode has not


LEAVING = 0x80
"""Set in a byte from an examiner that must not get another job. Without a verdict in it, it announces one: an examiner
says so before it runs tests that may change it, because afterwards it might not."""


class JobHeader(NamedTuple):
    """What the supervisor must know of a job; the body stays unread by it."""

    number: int
    body_bytes: int
    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    processes: int
    file_bytes: int
    answer_bytes: int
    whole: bool  # a whole program, run once a case; else functions that are called


class Result(NamedTuple):
    """How a job ended, as the supervisor saw it. `exit_code` is the candidate's, as `waitstatus_to_exitcode` has it.

    The times of a whole program are those of its slowest case, since the limits hold for each case.
    """

    verdict: int
    cpu_seconds: float
    wall_seconds: float
    exit_code: int
    case: int  # the last case that was run, from 1; 0 for functions


_JOB = struct.Struct("!IIddQIQQ?")
_FRAME = struct.Struct("!BII")
_RESULT = struct.Struct("!BddiI")

EXIT = struct.Struct("!i")
"""What an examiner is told of a program that has ended: its exit code, as above."""

JOB_BYTES = _JOB.size
FRAME_BYTES = _FRAME.size


class StreamError(Exception):
    """The other side has gone."""


def pack_job(header: JobHeader) -> bytes:
    """The bytes of a job's header."""
    return _JOB.pack(*header)


def unpack_job(data: bytes) -> JobHeader:
    """The reverse of `pack_job`."""
    return JobHeader(*_JOB.unpack(data))


def pack_frame(kind: Kind, number: int, payload: bytes = b"") -> bytes:
    """A whole frame from the guest."""
    return _FRAME.pack(kind, number, len(payload)) + payload


def unpack_frame(data: bytes) -> tuple[Kind, int, int]:
    """Kind, job number and size of the payload that follows. Raises StreamError for bytes that are no frame."""
    kind, number, size = _FRAME.unpack(data)
    if size > PIPE_ATOMIC or kind not in Kind._value2member_map_:
        raise StreamError("the guest sent bytes that are no frame")
    return Kind(kind), number, size


def pack_result(result: Result) -> bytes:
    """The payload of a RESULT frame."""
    return _RESULT.pack(*result)


def unpack_result(data: bytes) -> Result:
    """The reverse of `pack_result`."""
    return Result(*_RESULT.unpack(data))


def read_exact(fd: int, size: int) -> bytes:
    """Read `size` bytes. Raises StreamError where the stream ends before."""
    data = os.read(fd, size)
    if len(data) == size:
        return data
    parts = [data]
    missing = size - len(data)
    while missing:
        if not parts[-1]:
            raise StreamError("the stream ended")
        parts.append(os.read(fd, missing))
        missing -= len(parts[-1])
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`. Raises StreamError where nobody reads any more."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except (BrokenPipeError, ConnectionResetError) as error:
        raise StreamError("nobody reads") from error
