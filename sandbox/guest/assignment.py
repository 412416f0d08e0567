"""The examiner's end of its socket to the supervisor: a job comes in, and reports on it go out."""

import json
import os
from typing import Any

from . import passing, wire
from .wire import JobHeader, Report, Verdict


class Assignment:
    """One job of an examiner. Every run of the program has a token, which every report on it carries."""

    def __init__(self, control: passing.Socket) -> None:
        """Wait for a job; this process ends where the supervisor is gone."""
        self._control = control
        head = wire.TOKEN_BYTES + wire.JOB_BYTES
        data, fds = self._take(head + wire.CHUNK_BYTES)
        self._token = data[: wire.TOKEN_BYTES]
        self.fds = fds
        """The descriptors of the program's present run: the channel and, of a whole program, its three streams."""
        self.header: JobHeader = wire.unpack_job(data[wire.TOKEN_BYTES : head])
        parts = [data[head:]]
        missing = self.header.body_bytes - len(parts[0])
        while missing:
            parts.append(self._take(wire.CHUNK_BYTES)[0])
            missing -= len(parts[-1])
        self.job: dict[str, Any] = json.loads(b"".join(parts))

    def report(self, verdict: Verdict, detail: str, leaving: bool) -> None:
        """Give the verdict, with one line of reasons."""
        line = " ".join(detail[: wire.DETAIL_BYTES].split())  # the program may have had a lot to say
        self._send(Report(verdict, leaving, line.encode("utf-8", "backslashreplace")))

    def announce_leaving(self, evaluates: bool) -> None:
        """Say that the tests may change this examiner; with `evaluates`, that they run the program's text in it."""
        self._send(Report(Verdict.NONE, leaving=True, detail=wire.EVALUATES if evaluates else b""))

    def next_run(self) -> list[int]:
        """Have the program started anew, when all of it has ended. Returns the descriptors of the new run."""
        self._send(Report(Verdict.NEXT))
        data, self.fds = self._take(wire.TOKEN_BYTES + wire.JOB_BYTES)
        self._token = data[: wire.TOKEN_BYTES]
        return self.fds

    def exit_code(self) -> int:
        """Wait until the program, with all that it started, has ended. Returns its exit code."""
        (exit_code,) = wire.EXIT.unpack(self._take(wire.EXIT.size)[0])
        return int(exit_code)

    def _send(self, report: Report) -> None:
        self._control.send(wire.pack_report(self._token, report))

    def _take(self, size: int) -> tuple[bytes, list[int]]:
        data, fds = passing.take(self._control, size)
        return (data, fds) if data else os._exit(0)
