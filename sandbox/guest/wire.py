"""The frames that host, supervisor and examiner exchange.

Host to guest: one `JobHeader`, then `body_bytes` bytes of JSON, which the supervisor passes on to the examiner unread.
Guest to host: a `FrameHeader`, then `size` bytes. READY once, BEAT while a program runs, RESULT when nothing of the
program is left, RETURNED instead of a RESULT for a job that will not be begun because the one before it is slow. The
supervisor alone writes to the host.
Supervisor to examiner: a token, a `JobHeader` and the body. Examiner to supervisor: a `Report`, which begins with the
token of its job.
"""

import os
import select
import struct
from enum import IntEnum
from typing import NamedTuple

PAYLOAD_BYTES = 4096
"""No frame from the guest has a longer payload."""

DETAIL_BYTES = 2000
CHUNK_BYTES = 65536
"""The longest part of a body that is passed on at once."""

TOKEN_BYTES = 16

EVALUATES = b"evaluates"
"""The detail of an announcement where the tests run the program's text in the examiner."""


class Kind(IntEnum):
    """The kinds of frames from the guest."""

    READY = 1
    BEAT = 2
    RESULT = 3
    RETURNED = 4


class Verdict(IntEnum):
    """The end of a program, as one byte."""

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


class JobHeader(NamedTuple):
    """The part of a job that the supervisor reads."""

    number: int
    body_bytes: int
    cpu_seconds: float
    call_seconds: float  # of one call; 0 without such a limit
    wall_seconds: float
    memory_bytes: int
    processes: int
    file_bytes: int
    answer_bytes: int
    whole: bool  # a whole program, run once per case; else functions that are called
    threaded: bool  # its interpreter starts threads by itself, so the numbers of its processes say nothing


class Result(NamedTuple):
    """The end of a job, as the supervisor saw it. `exit_code` is the candidate's, as `waitstatus_to_exitcode` has it.

    The times of a whole program are those of its slowest case, since the limits hold for each case.
    """

    verdict: int
    cpu_seconds: float
    wall_seconds: float
    exit_code: int
    case: int  # the last case that was run, from 1; 0 for functions
    last: bool = False  # whether the guest takes no more jobs
    detail: bytes = b""


class Report(NamedTuple):
    """A message from the examiner: a verdict, NEXT, or, with NONE, the announcement that it must not stay.

    The announcement comes before tests that may change the examiner, because afterwards it might not come.
    """

    verdict: Verdict
    leaving: bool = False  # the examiner must not get another job
    detail: bytes = b""


_JOB = struct.Struct("!IIdddQIQQ??")
_FRAME = struct.Struct("!BII")
_RESULT = struct.Struct("!BddiI?")
_REPORT = struct.Struct("!B?")

EXIT = struct.Struct("!i")
"""The message to an examiner whose program has ended: its exit code, as above."""

JOB_BYTES = _JOB.size
FRAME_BYTES = _FRAME.size
REPORT_BYTES = TOKEN_BYTES + _REPORT.size + DETAIL_BYTES


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
    if size > PAYLOAD_BYTES or kind not in Kind._value2member_map_:
        raise StreamError("the guest sent bytes that are no frame")
    return Kind(kind), number, size


def pack_result(result: Result) -> bytes:
    """The payload of a RESULT frame."""
    *numbers, detail = result
    return _RESULT.pack(*numbers) + detail


def unpack_result(data: bytes) -> Result:
    """The reverse of `pack_result`."""
    return Result(*_RESULT.unpack(data[: _RESULT.size]))._replace(detail=data[_RESULT.size :])


def pack_report(token: bytes, report: Report) -> bytes:
    """The message of an examiner whose job came with `token`."""
    return token + _REPORT.pack(report.verdict, report.leaving) + report.detail[:DETAIL_BYTES]


def unpack_report(token: bytes, data: bytes) -> Report | None:
    """The reverse of `pack_report`; None for anything but a report on the job of `token`."""
    body = data[TOKEN_BYTES:]
    if data[:TOKEN_BYTES] != token or len(body) < _REPORT.size:
        return None
    number, leaving = _REPORT.unpack(body[: _REPORT.size])
    if number not in Verdict._value2member_map_:
        return None
    return Report(Verdict(number), leaving, body[_REPORT.size :])


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


def discard(fd: int, size: int) -> None:
    """Read `size` bytes and keep none of them in memory. Raises StreamError where the stream ends before."""
    buffer = memoryview(bytearray(min(size, CHUNK_BYTES)))
    while size:
        count = os.readv(fd, [buffer[:size]])
        if not count:
            raise StreamError("the stream ended")
        buffer[:count] = bytes(count)
        size -= count


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`. Raises StreamError where the other end is closed."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except (BrokenPipeError, ConnectionResetError) as error:
        raise StreamError("the other end is closed") from error


_TOGETHER = 3


class Outbox:
    """Buffers frames while more jobs wait, since every write costs a hop."""

    def __init__(self, inlet: int, outlet: int) -> None:
        """Frames go to `outlet`; jobs that wait at `inlet` mean that the host is in no hurry."""
        self._inlet = inlet
        self._outlet = outlet
        self._frames: list[bytes] = []

    def put(self, frame: bytes) -> None:
        """Send a frame, now or with the next."""
        self._frames.append(frame)
        if len(self._frames) >= _TOGETHER or not select.select([self._inlet], [], [], 0)[0]:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._frames:
            write_all(self._outlet, b"".join(self._frames))
            self._frames.clear()
