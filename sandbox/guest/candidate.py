"""The candidate's process: loads the program and answers what the examiner asks.

Once the program runs, nothing here can be trusted any more, and nothing here is: an answer is only ever a value.
"""

import sys
import types
from typing import Any, NoReturn

from .channel import Channel
from .peer import Kept, Peer

MODULE = "solution"
"""Not `__main__`: a program's main guard reads input and prints; what is wanted are its functions."""


class Program:
    """The program's module, and the operations on it that the examiner may ask for."""

    def __init__(self, channel: Channel) -> None:
        """Made in the zygote: nobody is at the other end of `channel` yet."""
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = sys.modules["__main__"] = module
        self._names = module.__dict__
        self.channel = channel
        self.peer = Peer(channel, self.operations(), frozenset({"function", "iterator", "object"}))

    def serve(self) -> NoReturn:
        """Serve the examiner until it is gone."""
        self.peer.serve_forever()

    def operations(self) -> dict[str, Any]:
        return {
            "load": self.load,
            "together": self.together,
            "name": self.name,
            "call": self.call,
            "call_named": self.call_named,
            "call_by_reference": self.call_by_reference,
            "next": self.advance,
            "iterate": lambda target: iter(self.peer.owned(target)),
            "attribute": lambda target, name: getattr(self.peer.owned(target), name),
            "assign": lambda target, name, value: setattr(self.peer.owned(target), name, value),
            "truth": lambda target: bool(self.peer.owned(target)),
            "text": lambda target: str(self.peer.owned(target)),
            "length": lambda target: len(self.peer.owned(target)),
            "item": lambda target, key: self.peer.owned(target)[key],
        }

    def load(self, _target: object, source: str, entry_point: str | None) -> list[Any]:
        """Run the program. Returns ["loaded", its entry point if it has one], or ["syntax", why not]."""
        try:
            code = compile_program(source)
        except SourceError as error:
            return ["syntax", str(error)]
        exec(code, self._names)
        return ["loaded", self.name(None, entry_point)] if entry_point in self._names else ["loaded"]

    def together(self, _target: object, source: str, entry_point: str | None, nonce: str) -> str:
        """Run tests in the program's own names: the shared mode. Returns `nonce` at the end."""
        exec(compile(source, "<tests>", "exec", dont_inherit=True), self._names)
        check = self._names.get("check")
        if entry_point is not None and "def check(" in source and callable(check):
            check(self._names[entry_point])
        return nonce

    def name(self, _target: object, name: str) -> Any:
        """The value of one of the program's global names."""
        if name not in self._names:
            raise NameError(f"name {name!r} is not defined")
        value = self._names[name]
        return Kept(value) if callable(value) else value

    def call(self, target: int, *positional: Any) -> Any:
        """Call one of the program's functions."""
        return self.peer.owned(target)(*positional)

    def call_named(self, target: int, named: dict[str, Any], *positional: Any) -> Any:
        """Call one of the program's functions with named arguments too."""
        return self.peer.owned(target)(*positional, **named)

    def call_by_reference(self, target: int, positional: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Call, and send the arguments back as the function left them, and which of them it returned, or -1."""
        result = self.peer.owned(target)(*positional, **named)
        same = next((i for i, argument in enumerate(positional) if argument is result), -1)
        return [result if same < 0 else None, positional, named, same]

    def advance(self, target: int) -> Any:
        """The next element of one of the program's iterators."""
        return next(self.peer.owned(target))

    advance.may_stop = True  # type: ignore[attr-defined]


class SourceError(Exception):
    """The program does not compile."""


def compile_program(source: str) -> types.CodeType:
    """Compile a program as an interpreter would read it from a file. Raises SourceError."""
    try:
        return compile(source.removeprefix("\ufeff"), "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise SourceError(f"{type(error).__name__}: {error}") from None
