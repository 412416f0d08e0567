"""Exceptions that cross: as the classes of Python's library that they are of, in their own words."""

import builtins
import sys
from typing import Any, NoReturn

from .codec import Decoder, Encoder, MalformedError
from .library import UnsendableError

CROSSED = "__crossed__"
"""The attribute that marks an exception as one of the other side's."""

_BUILTIN = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type)
    and issubclass(value, Exception)
    and not issubclass(value, StopIteration | StopAsyncIteration)
}
_TEXT_LENGTH = 1000


def text_of(value: object) -> str:
    """`str(value)`, shortened; "" where that fails."""
    try:
        return str(value)[:_TEXT_LENGTH]
    except Exception:  # noqa: BLE001 - the program's own __str__ may do anything
        return ""


def pack_exception(error: BaseException) -> list[Any]:
    """[its class's name, the classes it is of, its arguments, its text, its attributes], of plain values."""
    kind = type(error)
    bases = [name for base in kind.__mro__ if (name := _name(base))]
    return [kind.__name__, bases, _pack_plain(list(error.args), []), text_of(error), _pack_attributes(error)]


def _name(kind: type) -> str:
    if _BUILTIN.get(kind.__name__) is kind:
        return kind.__name__
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names and issubclass(kind, Exception):
        return f"{kind.__module__}:{kind.__name__}"
    return ""


def _pack_plain(value: Any, otherwise: Any) -> Any:
    try:
        return _ENCODER.pack(value)
    except Exception:  # noqa: BLE001 - the program's own exception may do anything
        return otherwise


def _pack_attributes(error: BaseException) -> list[Any]:
    """The plain values among what a program has set on its exception."""
    try:
        own = [(name, value) for name, value in vars(error).items() if name != CROSSED and not name.startswith("__")]
    except Exception:  # noqa: BLE001 - as above
        return []
    packed = [(name, _pack_plain([value], None)) for name, value in own]
    return [[name, values] for name, values in packed if values is not None]


def unpack_exception(data: list[Any]) -> Exception:
    """The reverse of `pack_exception`. Raises MalformedError."""
    name, bases, packed, text, attributes = data
    if not (type(name) is str and type(bases) is list and type(text) is str and type(attributes) is list):
        raise MalformedError("the answer is no exception")
    kinds = _lowest([kind for base in bases if (kind := _class(base))])
    if not kinds:
        raise MalformedError("the answer names no exception")
    error = _make(name, kinds, DECODER.unpack_items(packed), text)
    for attribute, values in attributes:
        if type(attribute) is str and not attribute.startswith("__"):
            setattr(error, attribute, DECODER.unpack_items(values)[0])
    return error


def _class(name: Any) -> type[Exception] | None:
    if type(name) is not str:
        return None
    module, colon, inner = name.partition(":")
    if not colon:
        return _BUILTIN.get(name)
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    kind = getattr(sys.modules.get(module), inner, None)
    exits = StopIteration | StopAsyncIteration
    return kind if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, exits) else None


def _lowest(kinds: list[type[Exception]]) -> list[type[Exception]]:
    """Those that are no base of another."""
    return [kind for kind in kinds if not any(other is not kind and issubclass(other, kind) for other in kinds)]


def _make(name: str, kinds: list[type[Exception]], arguments: list[Any], text: str) -> Exception:
    try:
        kind = kinds[0]
        error = kind(*arguments) if kind.__module__ == "builtins" else _without_init(kind, arguments)
        if len(kinds) > 1 or kind.__name__ != name or text_of(error) != text:
            # A class of the program's own says it in its own words.
            error = type(name, tuple(kinds), {"__str__": lambda _: text})(*arguments)
    except Exception:  # noqa: BLE001 - the arguments are of the program's making
        error = _plainest(name, kinds[0], text)
    setattr(error, CROSSED, True)
    return error


def _without_init(kind: Any, arguments: list[Any]) -> Exception:
    error: Exception = kind.__new__(kind, *arguments)
    return error


def _plainest(name: str, kind: type[Exception], text: str) -> Exception:
    try:
        error: Exception = type(name, (kind,), {"__str__": lambda _: text, "__init__": lambda *_: None})()
    except Exception:  # noqa: BLE001 - as above
        return RuntimeError(text)
    return error


def _refuse(value: Any, *_: Any) -> NoReturn:
    raise UnsendableError(f"{type(value).__name__} cannot cross here")


_ENCODER = Encoder(_refuse)
DECODER = Decoder(_refuse)
"""Reads the arguments of exceptions: plain values, or else printing one would mean asking the program."""
