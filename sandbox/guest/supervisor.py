"""The supervisor: reads job headers, orders a candidate for each, has an examiner test it, removes what is left of it.

It never looks at a program or a test: both are in the body, which passes through one buffer that is emptied at once. So
what it forks is always pristine, and nothing of one job can be found in the memory of the next.
"""

import contextlib
import gc
import importlib
import os
import signal
from typing import NoReturn

from . import wire
from .isolation import Isolation, UncleanError
from .job_runner import JobRunner
from .wire import Kind, Outbox

_COMMON_MODULES = """
abc bisect collections copy enum functools heapq io itertools math operator random re string sys time types typing
"""
"""Imported once, before any fork, since many programs ask for them. What is rarely asked for and large (dataclasses,
hashlib, ctypes) is left out: every fork pays for every page and every mapping."""


def serve(inlet: int, outlet: int, isolation: Isolation) -> None:
    """Serve jobs until the host closes the stream, or a program has left a mark that cannot be removed."""
    for name in _COMMON_MODULES.split():
        importlib.import_module(name)
    isolation.enter()
    gc.collect()
    gc.freeze()
    outbox = Outbox(inlet, outlet)
    outbox.put(wire.pack_frame(Kind.READY, 0))
    runner = JobRunner(isolation, inlet, outbox)
    with contextlib.suppress(wire.StreamError):
        while True:
            header = wire.unpack_job(wire.read_exact(inlet, wire.JOB_BYTES))
            result = runner.run(header)
            outbox.put(wire.pack_frame(Kind.RESULT, header.number, wire.pack_result(result)))
            if result.last:
                _retire(inlet, outbox)
            try:
                isolation.clean()
            except UncleanError:
                outbox.flush()  # the verdict holds, whatever its program left
                raise


def _retire(inlet: int, outbox: Outbox) -> NoReturn:
    """Wait until the host, which has seen that this was the last result, closes the stream."""
    outbox.flush()
    while True:
        wire.read_exact(inlet, 1)


def quiet_streams() -> tuple[int, int]:
    """Move the host's stream away from 0 and 1, where all that is forked from here finds the null device."""
    inlet, outlet = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return inlet, outlet
