"""The zygote: the process that candidates are forked from. It has seen limits only, and only forks.

A separate process, because after a fork every page that the parent writes to is a fault and a copy. The supervisor,
which works between two forks, would pay for more than two hundred of them each time; this one touches a few. All that
every candidate needs is made here once, before the first fork.
"""

import contextlib
import gc
import os
import random
import select
import signal
import struct
from typing import NoReturn

from . import candidate, channel, endless, passing, peer, runner
from .isolation import Isolation
from .wire import JobHeader

CANDIDATE_FD = 3
"""The descriptor of a candidate's end of the channel: the lowest free descriptor, since the zygote's own are higher."""

_REHEARSAL_BYTES = 4096
_REHEARSED = '''from typing import List


def f(x: List[int]) -> List[int]:
    """Give `x` back."""
    found = [y for y in [1, 2] if y % 2 == 0 and str(y) in {"1": 2}]
    for n in range(len(found)):
        found[n] += sum(found, start=-1) if found else 0
    while found:
        found.pop()
    return x
'''

_ORDER = struct.Struct("!dd")
_BIRTH = struct.Struct("!i")
_END = struct.Struct("!di")


class ZygoteLostError(Exception):
    """The zygote has ended, which no program can bring about."""


class Zygote:
    """Holds the process that candidates are forked from, and knows of its present candidate."""

    def __init__(self, isolation: Isolation) -> None:
        """There is no process at first."""
        self.pid = 0
        self._isolation = isolation
        self._limits: tuple[int, ...] = ()
        self._control: passing.Socket | None = None
        self._births = -1
        self._candidate_pid = 0

    def fill(self, header: JobHeader) -> None:
        """Ensure that a zygote exists whose children may use what this job says."""
        limits = (header.memory_bytes, header.processes, header.file_bytes, header.answer_bytes)
        if self.pid and self._limits != limits:
            self.clear()
        if self.pid:
            return
        self._limits = limits
        self._control, theirs = passing.message_pair()
        self._births, birth_outlet = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                channel.close_all_but((theirs.fileno(), birth_outlet))
                _serve(theirs, birth_outlet, self._isolation, header)
            except runner.StartProgram:  # in a candidate
                raise
            except BaseException:  # noqa: BLE001 - this process may not become a second supervisor
                os._exit(1)
        theirs.close()
        os.close(birth_outlet)

    def spawn(self, header: JobHeader, fds: tuple[int, ...]) -> None:
        """Order a candidate that talks to the other ends of `fds`.

        One descriptor makes a candidate whose functions are called; with three more, the streams of a program, it runs
        as a whole.
        """
        assert self._control is not None
        self._candidate_pid = 0
        passing.give(self._control, (_ORDER.pack(header.cpu_seconds, header.call_seconds),), fds)

    @property
    def candidate_pid(self) -> int:
        """The present candidate; waits for its birth. Raises ZygoteLostError."""
        if not self._candidate_pid:
            data = os.read(self._births, _BIRTH.size)
            if not data:
                raise ZygoteLostError
            (self._candidate_pid,) = _BIRTH.unpack(data)
        return self._candidate_pid

    def fileno(self) -> int:
        """To wait on: readable when the candidate has ended, or the zygote itself."""
        assert self._control is not None
        return self._control.fileno()

    def has_news(self, timeout: float) -> bool:
        """Return whether the candidate, or the zygote, ends within `timeout` seconds."""
        return bool(select.select([self], [], [], timeout)[0])

    def end(self) -> tuple[float, int]:
        """Wait for the candidate's end: its CPU seconds with those of the children it waited for, and its exit code."""
        assert self._control is not None
        data = self._control.recv(_END.size)
        if not data:
            raise ZygoteLostError
        seconds, exit_code = _END.unpack(data)
        self.candidate_pid  # noqa: B018 - taken off the pipe: the next birth is another candidate's
        return seconds, exit_code

    def clear(self) -> None:
        """Remove the zygote, which must have no candidate."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0
        if self._control is not None:
            self._control.close()
            self._control = None
        os.close(self._births)


def _serve(control: passing.Socket, births: int, isolation: Isolation, header: JobHeader) -> NoReturn:
    """Fork one candidate after another until the supervisor is gone. Between two forks as little as possible."""
    isolation.prepare_candidates(header)
    random.seed(0)  # the same program gets the same verdict every time
    signal.signal(endless.SIGNAL, endless.look)
    _rehearse()
    gc.collect()
    gc.freeze()
    program = candidate.Program(channel.Channel(CANDIDATE_FD, header.answer_bytes))
    while True:
        order, fds = passing.take(control, _ORDER.size)
        if not order:
            os._exit(0)
        assert fds[0] == CANDIDATE_FD
        _reap_siblings()
        isolation.expose(True)
        pid = os.fork()
        if not pid:
            cpu_seconds, program.call_limit.seconds = _ORDER.unpack(order)
            _be_candidate(program, isolation, cpu_seconds, fds)
        isolation.expose(False)
        for fd in fds:
            os.close(fd)
        os.write(births, _BIRTH.pack(pid))
        _, status, usage = os.wait4(pid, 0)
        control.send(_END.pack(usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status)))


def _reap_siblings() -> None:
    """Processes that the last candidate made beside itself (CLONE_PARENT), where no filter forbids it."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _rehearse() -> None:
    """Serve a harmless program here, so that its children find the interpreter warmed up.

    What is first done after a fork (specialising byte code, filling caches) is done by every child anew.
    """
    near, far = passing.stream_pair()
    line = channel.Channel(near, _REHEARSAL_BYTES)
    examiner = peer.Peer(line, {})
    examiner.post("load", None, _REHEARSED, "f")
    for argument in (1, "a", [1.5], (True, None), {"a": {1}}) * 8:
        examiner.post("call", 0, argument)
    line.send(["end"])
    with contextlib.suppress(channel.Lost):
        candidate.Program(channel.Channel(far, _REHEARSAL_BYTES)).serve()
    os.close(near)
    os.close(far)


def _be_candidate(program: candidate.Program, isolation: Isolation, cpu_seconds: float, fds: list[int]) -> NoReturn:
    try:
        for place, fd in enumerate(fds[1:]):
            os.dup2(fd, place)
        os.closerange(CANDIDATE_FD + 1, channel.DESCRIPTORS)
        isolation.confine_candidate(cpu_seconds)
    except (OSError, ValueError):
        os.kill(os.getppid(), signal.SIGKILL)  # a fault of the sandbox, which may not be taken for a verdict
        os._exit(1)
    try:
        if len(fds) > 1:
            runner.start(program.channel)
        program.serve()
    except runner.StartProgram:
        raise
    except BaseException:  # noqa: BLE001 - the examiner learns from the closed channel that it has ended
        os._exit(0)
