"""Ends a program that can never end by itself: a closed loop of it has come back to a state in which it was before.

A program that has been at work for a while gets a signal. The handler watches for some milliseconds which lines run,
and compares the states of each `while` loop. A state that returns is a proof (see `loop_state`): no program is ended
that would have ended later, and most of those that would run into their time limit are recognised early.

This runs in the program's process, so it is not trusted: all that a program can bring about is its own time-out.
"""

import importlib
import os
import signal
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop_source import Loop
    from .loop_state import LoopState

SIGNAL = signal.SIGURG  # ignored by a process that does not handle it
ENDLESS = signal.SIGXCPU
"""The signal that ends an endless program."""

LOOK_SECONDS = 0.025
"""CPU seconds of one search, which are not charged to the program."""

_SPARE_FRAMES = 150
_FRAME_DEPTH = 4
"""Levels of the recursion limit that must be left, and the most that one frame takes where C code calls Python: a
program that goes deep may not fail for the search."""

_RETURNS = 3
"""Times that a state must return. Once is a proof; twice more guard against a mistake in what makes up a state."""

_EVENTS_PER_CLOCK = 64

_OUTSIDE = (
    *("__del__", "weakref", "settrace", "setprofile", "monitoring", "signal", "thread", "ctypes", "asyncio", "fork"),
    *(" gc", "interrupt_main", "multiprocessing", "concurrent", "Profile", "faulthandler", "logging", "__file__"),
)
"""Words of programs in which something outside of a loop may change its state or leave it, or that run other code under
the name of their file."""

_SEES_TRACE = ("gettrace", "getrefcount", "locals(", "vars(", "dir(", "open(", "tempfile", "socket")
"""Words of programs that could tell that they are searched: on Python 3.11, tracing keeps local values alive."""


class Finder:
    """Holds what finds the guest's modules, which the loader leaves here."""

    present: Any = None


def _reader(name: str) -> Any:
    """Import a module of the guest late: it needs `ast`, which is large, and every fork would pay for it."""
    finders = [Finder.present] if Finder.present is not None else []
    sys.meta_path[:0] = finders
    try:
        return importlib.import_module(f"{__package__}.{name}")
    finally:
        del sys.meta_path[: len(finders)]


class _Program:
    """The program that this process runs."""

    source = ""
    file = ""
    stdout: Any = None


def watch(source: str, file: str, may_print: bool) -> None:
    """Note the program that is about to run. `may_print` says that what it prints goes nowhere."""
    ends_late = "yield" in source and ("finally" in source or "with " in source)
    if not ends_late and file not in source and not any(word in source for word in (*_OUTSIDE, *_SEES_TRACE)):
        _Program.source, _Program.file = source, file
        _Program.stdout = sys.stdout if may_print else None


def ignore() -> None:
    """Note that nothing may be said about this process, because the tests run in it."""
    _Program.source = ""


def look(_signal: int, frame: FrameType | None) -> None:
    """Handle the signal: search for a state that returns."""
    try:
        if _Program.source and sys.gettrace() is None and len(sys._current_frames()) == 1:
            _search(frame)
    except BaseException:  # noqa: BLE001 - a failure here is not the program's
        sys.settrace(None)


def _search(frame: FrameType | None) -> None:
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    own = [frame for frame in frames if frame.f_code.co_filename == _Program.file]
    if own and not _is_deep(len(frames)):
        search = Search(own, len(frames))
        sys.settrace(search.trace)


def _is_deep(frames: int) -> bool:
    return _FRAME_DEPTH * frames + _SPARE_FRAMES > sys.getrecursionlimit()


def _print_is_quiet() -> bool:
    """Return whether printing goes nowhere, and runs no code of the program."""
    stdout = _Program.stdout
    return stdout is not None and sys.stdout is stdout and set(vars(stdout)) <= {"mode"}


class Search:
    """Compares the states of all loops that are running."""

    def __init__(self, frames: list[FrameType], depth: int, seconds: float = LOOK_SECONDS) -> None:
        """Begin with the program's `frames`; `depth` counts all frames. Raises what parsing the program raises."""
        loop_source, loop_state = _reader("loop_source"), _reader("loop_state")
        self._make_state = loop_state.LoopState
        self._unknown = (loop_source.OpenLoopError, loop_state.UnknownStateError)
        self._source = loop_source.Source(_Program.source, _Program.file)
        self._frames = frames
        self._depth = depth
        self._visits: dict[FrameType, list[_Visits]] = {}
        self._events = 0
        self._end = time.process_time() + seconds
        for frame in frames:
            frame.f_trace = self.trace

    def trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        """Follow the program's lines. A trace function."""
        try:
            if self._is_over(event):
                self._stop()
                return None
            if frame.f_code.co_filename != _Program.file:
                return None
            if event == "line":
                self._line(frame)
            elif event == "return":
                self._visits.pop(frame, None)
        except BaseException:  # noqa: BLE001 - as in `look`
            self._stop()
            return None
        return self.trace

    def _is_over(self, event: str) -> bool:
        self._depth += (event == "call") - (event == "return")
        self._events += 1
        return _is_deep(self._depth) or (self._events % _EVENTS_PER_CLOCK == 0 and time.process_time() > self._end)

    def _stop(self) -> None:
        sys.settrace(None)
        for frame in (*self._frames, *self._visits):
            frame.f_trace = None

    def _line(self, frame: FrameType) -> None:
        if frame not in self._visits:
            self._visits[frame] = [_Visits(loop) for loop in self._source.loops(frame.f_code)]
        for visits in self._visits[frame]:
            if not visits.loop.first_line <= frame.f_lineno <= visits.loop.last_line:
                visits.forget()
            elif frame.f_lineno in visits.loop.anchors and not visits.is_open:
                self._compare(frame, visits)

    def _compare(self, frame: FrameType, visits: "_Visits") -> None:
        try:
            if visits.state is None:
                visits.state = self._make_state(self._source, visits.loop, frame, _print_is_quiet())
            if visits.has_returned(frame.f_lasti, visits.state.read()):
                signal.signal(ENDLESS, signal.SIG_DFL)
                os.kill(os.getpid(), ENDLESS)
        except self._unknown:
            visits.is_open = True


class _Visits:
    """The states in which a loop was seen, compared as Brent's algorithm does (BIT 20, 1980)."""

    def __init__(self, loop: "Loop") -> None:
        """Begin unseen."""
        self.loop = loop
        self.state: LoopState | None = None
        self.is_open = False  # whether its state does not tell what it does
        self._places: dict[int, _Place] = {}

    def forget(self) -> None:
        """Begin anew: the loop was left."""
        self._places.clear()

    def has_returned(self, place: int, state: list[Any]) -> bool:
        """Return whether the loop was at this place in this state before."""
        return self._places.setdefault(place, _Place()).has_returned(state)


class _Place:
    """An instruction of a loop."""

    def __init__(self) -> None:
        """Begin unseen."""
        self._kept: list[Any] | None = None
        self._steps, self._power, self._returns = 0, 1, 0

    def has_returned(self, state: list[Any]) -> bool:
        """Return whether `state` has come back often enough."""
        if state == self._kept:
            self._returns += 1
        self._steps += 1
        if self._steps == self._power:
            self._kept, self._steps, self._power, self._returns = state, 0, 2 * self._power, 0
        return self._returns >= _RETURNS
