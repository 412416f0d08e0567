"""The time limit of a single call, kept in the program's process: the kernel's timers end calls that do not come back.

A program that resets the timers gains the time that the whole job has, and nothing else.
"""

import os
import signal
from collections.abc import Callable
from time import process_time
from typing import Any

ENDS = (signal.SIGPROF, signal.SIGALRM)
"""The signals that end a call which has used up its CPU time, or sleeps."""

_CPU_FACTOR = 1.25
"""The kernel counts CPU time in ticks for this timer, maybe too many; the exact time is compared after the call."""

_WALL_FACTOR = 20
"""Seconds on the clock per second of CPU time: enough where other programs work beside this one."""


class CallLimit:
    """Limits each call that the tests make; calls within it are part of it."""

    def __init__(self) -> None:
        """Begin without a limit."""
        self.seconds = 0.0
        self.slowest = 0.0  # CPU seconds
        self._running = False

    def call(self, function: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function of the program."""
        if not self.seconds or self._running:
            return function(*positional, **named)
        self._running = True
        started = process_time()
        self._set_timers(self.seconds)
        try:
            return function(*positional, **named)
        finally:
            self._set_timers(0.0)
            self._running = False
            seconds = process_time() - started
            self.slowest = max(self.slowest, seconds)
            if seconds > self.seconds:
                signal.signal(ENDS[0], signal.SIG_DFL)
                os.kill(os.getpid(), ENDS[0])

    def _set_timers(self, seconds: float) -> None:
        signal.setitimer(signal.ITIMER_PROF, seconds * _CPU_FACTOR)
        signal.setitimer(signal.ITIMER_REAL, seconds * _WALL_FACTOR)
