"""The supervisor: reads job headers, forks a candidate for each, has an examiner test it, empties the room.

It never reads a program or a test: both are in the body, which the examiner takes off the stream itself. So what it
forks is always pristine, and nothing of one job can be found in the memory of the next.
"""

import contextlib
import gc
import importlib
import math
import os
import random
import select
import signal
import time
from typing import NoReturn

from . import candidate, channel, wire
from .chair import Chair
from .outbox import Outbox
from .room import Room
from .watch import Watch
from .wire import JobHeader, Kind, Result, Verdict

_GRACE_SECONDS = 0.5
"""How long the examiner may take to notice that its candidate has ended."""

_COMMON_MODULES = """
abc bisect cmath collections copy datetime decimal enum fractions functools heapq io itertools json math operator
random re statistics string sys time types typing
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
    chair = Chair(inlet, outlet, room)
    with contextlib.suppress(wire.StreamError):
        while True:
            header = wire.unpack_job(wire.read_exact(inlet, wire.JOB_BYTES))
            result = _run(header, chair, outbox, room)
            outbox.put(wire.pack_frame(Kind.RESULT, header.number, wire.pack_result(result)))
            room.clean()


def _run(header: JobHeader, chair: Chair, outbox: Outbox, room: Room) -> Result:
    started = time.monotonic()
    chair.fill(header)
    near, far = channel.pair()
    candidate_pid = os.fork()
    if not candidate_pid:
        _be_candidate(far, header, room)
    os.close(far)
    watch = Watch(header, candidate_pid, chair, room, started)
    chair.assign(header, near)
    os.close(near)
    try:
        verdict = _wait(watch, chair, outbox, header)
    except wire.StreamError:  # the host is gone: leave nobody behind
        chair.clear()
        room.sweep(candidate_pid, 0)
        raise
    examiner_seconds = watch.examiner_seconds()
    if verdict in (Verdict.NONE, Verdict.TIMEOUT, Verdict.EXITED):
        chair.clear()  # it may still be waiting for this candidate
    candidate_seconds, exit_code = room.sweep(candidate_pid, chair.pid)
    cpu_seconds = candidate_seconds + examiner_seconds
    if verdict is not Verdict.NONE and cpu_seconds > header.cpu_seconds:
        verdict = Verdict.TIMEOUT
    return Result(verdict, cpu_seconds, time.monotonic() - started, exit_code)


def _wait(watch: Watch, chair: Chair, outbox: Outbox, header: JobHeader) -> Verdict:
    """Wait for a verdict, a timeout, or the end of either process."""
    ended = os.pidfd_open(watch.candidate_pid)
    deadline = math.inf
    poller = select.poll()
    poller.register(chair, select.POLLIN)
    poller.register(ended, select.POLLIN)
    try:
        while True:
            ready = [fd for fd, _ in poller.poll(watch.next_look() * 1000)]
            if chair.fileno() not in ready and ended in ready:
                poller.unregister(ended)
                deadline = time.monotonic() + _GRACE_SECONDS
            if chair.fileno() in ready:
                verdict = chair.verdict()
                if verdict is not None:
                    return verdict
            if time.monotonic() > deadline:
                return Verdict.EXITED
            if watch.is_over():
                return Verdict.TIMEOUT
            outbox.flush()
            if watch.beat_is_due():
                outbox.put(wire.pack_frame(Kind.BEAT, header.number))
    finally:
        os.close(ended)


def _be_candidate(fd: int, header: JobHeader, room: Room) -> NoReturn:
    try:
        os.dup2(0, 2)
        channel.close_all_but((fd,))
        room.confine_candidate(header)
        random.seed(0)  # the same program gets the same verdict every time
        candidate.main(fd, header.answer_bytes)
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
