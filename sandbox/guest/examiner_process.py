"""The examiner's chair: one process that examines candidates one after another, until it should not any more.

An examiner stays for the next job because a fork costs more than most examinations. It leaves after tests that could
have left something behind in it, and it is removed when it gave no verdict.
"""

import os
import signal

from . import channel, examiner, passing, wire
from .isolation import Isolation
from .processes import cpu_clock
from .wire import JobHeader, Verdict, pack_job


class ExaminerProcess:
    """Holds one examiner at a time, forked from the pristine supervisor."""

    def __init__(self, inlet: int, outlet: int, isolation: Isolation) -> None:
        """The chair is empty at first."""
        self.pid = 0
        self._inlet = inlet
        self._outlet = outlet
        self._isolation = isolation
        self._control: passing.Socket | None = None
        self._memory_bytes = 0
        self._spent = 0.0
        self._leaving = False

    def fill(self, header: JobHeader) -> None:
        """See to it that an examiner is there who may use as much memory as this job says."""
        if self.pid and self._memory_bytes != header.memory_bytes:
            self.clear()
        if self.pid:
            return
        self._leaving = False
        self._memory_bytes = header.memory_bytes
        self._control, theirs = passing.message_pair()
        self.pid = os.fork()
        if not self.pid:
            try:
                fds = (theirs.fileno(), self._inlet, self._outlet)
                os.dup2(0, 2)
                channel.close_all_but(fds)
                self._isolation.confine_examiner(header)
                examiner.main(theirs, self._inlet, self._outlet)
            finally:
                os._exit(0)
        theirs.close()

    def assign(self, header: JobHeader, fds: tuple[int, ...]) -> None:
        """Hand over a job, or the next case of one, whose candidate is at the other end of `fds`."""
        assert self._control is not None
        try:
            passing.give(self._control, pack_job(header), fds)
        except OSError:  # it has died since the last job: no verdict will come
            return

    def tell(self, exit_code: int) -> None:
        """Say that the candidate, with all its children, has ended, and how."""
        assert self._control is not None
        try:
            self._control.send(wire.EXIT.pack(exit_code))
        except OSError:  # as above
            return

    def fileno(self) -> int:
        """To wait on: readable when there is a verdict, or no examiner any more."""
        assert self._control is not None
        return self._control.fileno()

    def verdict(self) -> Verdict | None:
        """What has arrived: a verdict, NONE where the examiner has died, or None where it only announced one."""
        assert self._control is not None
        try:
            data = self._control.recv(1)
        except OSError:
            data = b""
        if data == bytes([wire.LEAVING]):
            self._leaving = True
            return None
        if data == bytes([Verdict.NEXT]):
            return Verdict.NEXT
        if not data or self._leaving or data[0] & wire.LEAVING:
            self.clear()
        return Verdict(data[0] & ~wire.LEAVING) if data else Verdict.NONE

    def clear(self) -> None:
        """Remove the examiner."""
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        _, _, usage = os.wait4(self.pid, 0)
        self._spent = usage.ru_utime + usage.ru_stime
        self.pid = 0
        if self._control is not None:
            self._control.close()
            self._control = None

    def cpu_seconds(self) -> float:
        """CPU seconds of the present examiner, or of the last one where the chair is empty."""
        return cpu_clock(self.pid) if self.pid else self._spent
