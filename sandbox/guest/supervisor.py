"""The supervisor: reads job headers, orders a candidate for each, has an examiner test it, empties the room.

It never reads a program or a test: both are in the body, which the examiner takes off the stream itself. So what it
forks is always pristine, and nothing of one job can be found in the memory of the next.
"""

import contextlib
import gc
import importlib
import math
import os
import select
import signal
import time

from . import passing, wire
from .chair import Chair
from .outbox import Outbox
from .room import Room
from .watch import Watch
from .wire import JobHeader, Kind, Result, Verdict
from .zygote import Zygote

_GRACE_SECONDS = 0.5
"""How long the examiner may take to notice that its candidate has ended."""

_AGAIN_SECONDS = 0.05

_COMMON_MODULES = """
abc bisect collections copy enum functools heapq io itertools math operator random re string sys time types typing
"""
"""Imported once, before any fork, since many programs ask for them. What is rarely asked for and large (dataclasses,
hashlib, ctypes) is left out: every fork pays for every page and every mapping."""


def serve(inlet: int, outlet: int, room: Room) -> None:
    """Serve jobs until the host closes the stream, or the room cannot be emptied."""
    for name in _COMMON_MODULES.split():
        importlib.import_module(name)
    room.enter()
    gc.collect()
    gc.freeze()
    outbox = Outbox(inlet, outlet)
    outbox.put(wire.pack_frame(Kind.READY, 0))
    shift = _Shift(Chair(inlet, outlet, room), Zygote(room), outbox, room)
    with contextlib.suppress(wire.StreamError):
        while True:
            header = wire.unpack_job(wire.read_exact(inlet, wire.JOB_BYTES))
            result = shift.run(header)
            outbox.put(wire.pack_frame(Kind.RESULT, header.number, wire.pack_result(result)))
            room.clean()


class _Shift:
    """All who work on a job."""

    def __init__(self, chair: Chair, zygote: Zygote, outbox: Outbox, room: Room) -> None:
        self._chair = chair
        self._zygote = zygote
        self._outbox = outbox
        self._room = room

    def run(self, header: JobHeader) -> Result:
        """See one job through: a candidate is born, is examined, and is gone with all it left."""
        started = time.monotonic()
        self._zygote.fill(header)
        self._chair.fill(header)
        near, far = passing.stream_pair()
        watch = Watch(header, self._zygote, self._chair, self._room, started)
        self._zygote.beget(header, far)
        self._chair.assign(header, near)
        os.close(far)
        os.close(near)
        try:
            verdict = self._wait(watch, header)
        except wire.StreamError:  # the host is gone: leave nobody behind
            self._chair.clear()
            self._sweep()
            raise
        examiner_seconds = watch.examiner_seconds()
        if verdict in (Verdict.NONE, Verdict.TIMEOUT, Verdict.EXITED):
            self._chair.clear()  # it may still be waiting for this candidate
        candidate_seconds, exit_code = self._sweep()
        cpu_seconds = candidate_seconds + examiner_seconds
        if verdict is not Verdict.NONE and cpu_seconds > header.cpu_seconds:
            verdict = Verdict.TIMEOUT
        return Result(verdict, cpu_seconds, time.monotonic() - started, exit_code)

    def _wait(self, watch: Watch, header: JobHeader) -> Verdict:
        """Wait for a verdict, a timeout, or the end of either process."""
        deadline = math.inf
        poller = select.poll()
        poller.register(self._chair, select.POLLIN)
        poller.register(self._zygote, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poller.poll(watch.next_look() * 1000)]
            if self._chair.fileno() in ready:
                verdict = self._chair.verdict()
                if verdict is not None:
                    return verdict
            elif ready:
                poller.unregister(self._zygote)
                deadline = time.monotonic() + _GRACE_SECONDS
            if time.monotonic() > deadline:
                return Verdict.EXITED
            if watch.is_over():
                return Verdict.TIMEOUT
            self._outbox.flush()
            if watch.beat_is_due():
                self._outbox.put(wire.pack_frame(Kind.BEAT, header.number))

    def _sweep(self) -> tuple[float, int]:
        """End the candidate and all it left. Returns their CPU seconds, and the candidate's exit code."""
        candidate_pid = self._zygote.candidate_pid
        self._room.kill(candidate_pid)
        while not self._zygote.has_news(_AGAIN_SECONDS):  # it was too young to be reached
            self._room.kill(candidate_pid)
        seconds, exit_code = self._zygote.end()
        return seconds + self._room.bury((self._zygote.pid, self._chair.pid)), exit_code


def quiet_streams() -> tuple[int, int]:
    """Move the host's stream away from 0 and 1 and put the null device there, for all that is forked from here."""
    inlet, outlet = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return inlet, outlet
