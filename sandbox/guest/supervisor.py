"""The supervisor: reads job headers, orders a candidate for each, has an examiner test it, empties the isolation.

It never reads a program or a test: both are in the body, which the examiner takes off the stream itself. So what it
forks is always pristine, and nothing of one job can be found in the memory of the next.
"""

import contextlib
import gc
import importlib
import os
import signal

from . import wire
from .examiner_process import ExaminerProcess
from .isolation import Isolation, UncleanError
from .job_runner import JobRunner
from .wire import Kind, Outbox
from .zygote import Zygote

_COMMON_MODULES = """
abc bisect collections copy enum functools heapq io itertools math operator random re string sys time types typing
"""
"""Imported once, before any fork, since many programs ask for them. What is rarely asked for and large (dataclasses,
hashlib, ctypes) is left out: every fork pays for every page and every mapping."""


def serve(inlet: int, outlet: int, isolation: Isolation) -> None:
    """Serve jobs until the host closes the stream, or the room cannot be emptied."""
    for name in _COMMON_MODULES.split():
        importlib.import_module(name)
    isolation.enter()
    gc.collect()
    gc.freeze()
    outbox = Outbox(inlet, outlet)
    outbox.put(wire.pack_frame(Kind.READY, 0))
    runner = JobRunner(ExaminerProcess(inlet, outlet, isolation), Zygote(isolation), outbox, isolation)
    with contextlib.suppress(wire.StreamError):
        while True:
            header = wire.unpack_job(wire.read_exact(inlet, wire.JOB_BYTES))
            result = runner.run(header)
            outbox.put(wire.pack_frame(Kind.RESULT, header.number, wire.pack_result(result)))
            try:
                isolation.clean()
            except UncleanError:
                outbox.flush()  # the verdict holds, whatever its program left
                raise


def quiet_streams() -> tuple[int, int]:
    """Move the host's stream away from 0 and 1 and put the null device there, for all that is forked from here."""
    inlet, outlet = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return inlet, outlet
