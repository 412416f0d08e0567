"""The supervisor: reads job headers, forks a candidate and an examiner for each, watches them, empties the room.

It never reads a program or a test: both are in the body, which the examiner takes off the stream itself. So what it
forks is always pristine, and nothing of one job can be found in the memory of the next.
"""

import contextlib
import gc
import importlib
import os
import random
import select
import signal
import time
from typing import NoReturn

from . import candidate, channel, examiner, wire
from .room import Room
from .watch import Watch
from .wire import JobHeader, Kind, Result, Verdict

_GRACE_SECONDS = 0.5
"""How long the examiner may take to notice that its candidate has ended."""

_COMMON_MODULES = """
abc ast bisect cmath collections copy dataclasses datetime decimal enum fractions functools hashlib heapq io itertools
json math operator random re secrets statistics string sys time traceback types typing
"""
"""Imported once, before any fork, since most programs and tests ask for some of them."""


def serve(inlet: int, outlet: int, room: Room) -> None:
    """Serve jobs until the host closes the stream, or the room cannot be emptied."""
    for name in _COMMON_MODULES.split():
        importlib.import_module(name)
    room.enter()
    gc.collect()
    gc.freeze()
    wire.write_all(outlet, wire.pack_frame(Kind.READY, 0))
    with contextlib.suppress(wire.StreamError):
        while True:
            header = wire.unpack_job(wire.read_exact(inlet, wire.JOB_BYTES))
            result = _run(header, inlet, outlet, room)
            wire.write_all(outlet, wire.pack_frame(Kind.RESULT, header.number, wire.pack_result(result)))
            room.clean()


def _run(header: JobHeader, inlet: int, outlet: int, room: Room) -> Result:
    near, far = channel.pair()
    verdict_out, verdict_in = os.pipe()
    started = time.monotonic()
    candidate_pid = os.fork()
    if not candidate_pid:
        _be_candidate(far, header, room)
    examiner_pid = os.fork()
    if not examiner_pid:
        _be_examiner(near, inlet, outlet, verdict_in, header, room)
    for fd in (near, far, verdict_in):
        os.close(fd)
    watch = Watch(header, candidate_pid, examiner_pid, room, started)
    verdict = _wait(watch, verdict_out, outlet, header)
    os.close(verdict_out)
    cpu_seconds, exit_code = room.sweep(candidate_pid, examiner_pid)
    if verdict is not Verdict.NONE and cpu_seconds > header.cpu_seconds:
        verdict = Verdict.TIMEOUT
    return Result(verdict, cpu_seconds, time.monotonic() - started, exit_code)


def _wait(watch: Watch, verdict_out: int, outlet: int, header: JobHeader) -> Verdict:
    """Wait for a verdict, a timeout, or the end of either process."""
    ended = os.pidfd_open(watch.candidate_pid)
    poller = select.poll()
    poller.register(verdict_out, select.POLLIN)
    poller.register(ended, select.POLLIN)
    try:
        while True:
            ready = [fd for fd, _ in poller.poll(watch.next_look() * 1000)]
            if verdict_out in ready:
                return _read_verdict(verdict_out)
            if ended in ready:
                late, _, _ = select.select([verdict_out], [], [], _GRACE_SECONDS)
                return _read_verdict(verdict_out) if late else Verdict.EXITED
            if watch.is_over():
                return Verdict.TIMEOUT
            if watch.beat_is_due():
                wire.write_all(outlet, wire.pack_frame(Kind.BEAT, header.number))
    finally:
        os.close(ended)


def _read_verdict(fd: int) -> Verdict:
    data = os.read(fd, 1)
    return Verdict(data[0]) if data else Verdict.NONE


def _be_candidate(fd: int, header: JobHeader, room: Room) -> NoReturn:
    try:
        os.dup2(0, 2)
        channel.close_all_but((fd,))
        room.confine_candidate(header)
        random.seed(0)  # the same program gets the same verdict every time
        candidate.main(fd, header.answer_bytes)
    finally:
        os._exit(0)


def _be_examiner(fd: int, inlet: int, outlet: int, verdict_in: int, header: JobHeader, room: Room) -> NoReturn:
    try:
        os.dup2(0, 2)
        channel.close_all_but((fd, inlet, outlet, verdict_in))
        room.confine_examiner(header)
        examiner.main(fd, inlet, outlet, verdict_in, header)
    finally:
        os._exit(0)


def quiet_streams() -> tuple[int, int]:
    """Move the host's stream away from 0 and 1 and put the null device there, for all that is forked from here."""
    inlet, outlet = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return inlet, outlet
