"""The results of a program on given arguments. For the grammar's own programs only: nothing here is a sandbox."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

Arguments = tuple[object, ...]

FAILED = "failed"  # stands for an exception, which is never right

_SECONDS = 0.5  # of processor time; a program of the grammar takes microseconds


class _OutOfTimeError(Exception):
    """The program ran on and on."""


def outputs(program: str, entry_point: str, inputs: Sequence[Arguments]) -> tuple[str, ...]:
    """The type and value of what the program returns on each input, as text; FAILED where it raises or runs on."""
    try:
        with _time_limit():
            scope: dict[str, object] = {}
            exec(compile(program, "<program>", "exec"), scope)
            function = scope[entry_point]
            assert callable(function)
            return tuple(_output(function, arguments) for arguments in inputs)
    except (SyntaxError, _OutOfTimeError):
        return (FAILED,) * len(inputs)


def shown(value: object) -> str:
    """The value with its type, as text."""
    return f"{type(value).__name__} {value!r}"


def _output(function: Callable[..., object], arguments: Arguments) -> str:
    try:
        return shown(function(*map(_fresh, arguments)))
    except (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError):
        return FAILED


def _fresh(value: object) -> object:
    """A copy of what a program could change: lists are all there is."""
    return list(value) if isinstance(value, list) else value


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise _OutOfTimeError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
