"""The candidate's process: loads the program and answers what the examiner asks.

Once the program runs, nothing here can be trusted any more, and nothing here is: an answer is only ever a value.
"""

import builtins
import os
import sys
import types
from time import perf_counter
from typing import Any, NoReturn

from . import endless, failures, pytest_like
from .call_limit import CallLimit
from .channel import Channel
from .exceptions import text_of
from .graph import Graph
from .peer import Kept
from .program_peer import ProgramPeer
from .specials import OPERATIONS

MODULE = "solution"
"""Not `__main__`: a program's main guard reads input and prints; what is wanted are its functions."""

FILE = "solution.py"

_OWN_FRAMES = 16
"""Frames of the guest below the program's first: it must be able to go as deep as without them."""

_READS_ITSELF = ("__file__", "getsource", "multiprocessing", "ProcessPoolExecutor", "traceback", "linecache")
"""A program that names one of these finds its own text in a file, as it would anywhere else."""

_AHEAD_SECONDS = 0.001
"""The time for which an iterator may be walked ahead of what was asked for."""


class Program:
    """The program's module, and the operations on it that the examiner may ask for."""

    def __init__(self, channel: Channel) -> None:
        """Made in the zygote: there is no examiner at the other end of `channel` yet."""
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = sys.modules["__main__"] = module
        self._names = module.__dict__
        self._failures: dict[int, Exception] = {}  # of iterators that were walked ahead
        self._loop: Any = None
        self._source = ""
        self.call_limit = CallLimit()
        self.channel = channel
        self.peer = ProgramPeer(channel, self.operations())
        for name in ("exit", "quit"):  # made by `site`, which is not loaded
            setattr(builtins, name, sys.exit)

    def serve(self) -> NoReturn:
        """Serve the examiner until it is gone."""
        self.peer.serve_forever()

    def operations(self) -> dict[str, Any]:
        owned = self._owned
        return {
            "load": self.load,
            "together": self.together,
            "name": self.name,
            "call": self.call,
            "call_named": self.call_named,
            "next": self.advance,
            "await": self.wait_for,
            "slowest": lambda _target: self.call_limit.slowest,
            "attribute": lambda target, name: getattr(owned(target), name),
            "assign": lambda target, name, value: setattr(owned(target), name, value),
            "delete": lambda target, name: delattr(owned(target), name),
            "operate": lambda target, name, *operands: OPERATIONS[name](owned(target), *operands),
        }

    def _owned(self, number: int) -> Any:
        return self.peer.owned(number)

    def load(self, _target: object, source: str, entry_point: str | None, graph: bool = False) -> Any:
        """Run the program. Returns ("loaded", its entry point if it has one), or ("syntax", why not)."""
        if graph:
            self.peer.use_graph(Graph(1))
        try:
            code = compile_program(source)
        except SourceError as error:
            return "syntax", str(error)
        sys.setrecursionlimit(sys.getrecursionlimit() + _OWN_FRAMES)
        self._source = source
        if any(word in source for word in _READS_ITSELF):
            self._write()
        endless.watch(source, FILE, may_print=True)
        exec(code, self._names)
        return ("loaded", self.name(None, entry_point)) if entry_point in self._names else ("loaded",)

    def _write(self) -> None:
        """Put the program's text where `__file__` says, and where a process that it starts looks for it."""
        path = os.path.join(os.getcwd(), FILE)  # noqa: PTH109,PTH118 - pathlib is not loaded, and every fork would pay
        try:
            with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:  # noqa: PTH123 - as above
                file.write(self._source)
        except OSError:
            return
        self._names["__file__"] = path
        sys.path.append(os.getcwd())  # noqa: PTH109 - as above
        sys.argv[:] = [path]

    def together(self, _target: object, sources: list[str], entry_point: str | None, nonce: str) -> str:
        """Run reference, setup and tests with the program: the shared mode. Returns `nonce` at the end.

        Where the tests use names of the reference, those come from the reference, and only what is asked for comes
        from the program.
        """
        endless.ignore()
        reference, setup, tests, *asked = sources
        names = self._names
        if any(word in tests for word in _READS_ITSELF):
            self._write()
        if reference:
            names = {"__name__": MODULE}
            exec(compile(reference, "<reference>", "exec", dont_inherit=True), names)
            names.update({name: self._names[name] for name in (entry_point, *asked) if name in self._names})
        if entry_point is not None and entry_point not in self._names:
            raise NameError(f"name {entry_point!r} is not defined")
        pytest_like.prepare(tests)
        exec(compile(setup, "<setup>", "exec", dont_inherit=True), names)
        try:
            exec(compile(tests, pytest_like.TESTS, "exec", dont_inherit=True), names)
            pytest_like.run(names, tests, entry_point)
        except AssertionError as error:
            raise AssertionError(failures.assertion(error, tests, text_of(error), None)) from None
        return nonce

    def name(self, _target: object, name: str) -> Any:
        """The value of one of the program's global names."""
        if name not in self._names:
            raise NameError(f"name {name!r} is not defined")
        value = self._names[name]
        return Kept(value) if callable(value) else value

    def call(self, target: int, *positional: Any) -> Any:
        """Call one of the program's functions."""
        return self.call_limit.call(self.peer.owned(target), positional, {})

    def call_named(self, target: int, named: dict[str, Any], *positional: Any) -> Any:
        """Call one of the program's functions with named arguments too."""
        return self.call_limit.call(self.peer.owned(target), positional, named)

    def advance(self, target: int, most: int = 1) -> tuple[tuple[Any, ...], bool]:
        """The next elements of one of the program's iterators, `most` at most, and whether it has ended."""
        if target in self._failures:
            raise self._failures.pop(target)
        iterator = self.peer.owned(target)
        elements = [next(iterator)]
        deadline = perf_counter() + _AHEAD_SECONDS
        while len(elements) < most and perf_counter() < deadline:
            try:
                elements.append(next(iterator))
            except StopIteration:
                return tuple(elements), True
            except Exception as error:  # noqa: BLE001 - it is asked for later
                self._failures[target] = error
                break
        return tuple(elements), False

    advance.may_stop = True  # type: ignore[attr-defined]

    def wait_for(self, target: int) -> Any:
        """Run one of the program's coroutines to its end and return its result."""
        import asyncio  # large, and asked for by few

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(self.peer.owned(target))


class SourceError(Exception):
    """The program does not compile."""


def compile_program(source: str) -> types.CodeType:
    """Compile a program as an interpreter would read it from a file. Raises SourceError."""
    try:
        return compile(source.removeprefix("\ufeff"), FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise SourceError(f"{type(error).__name__}: {error}") from None
