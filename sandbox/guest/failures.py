"""The failed assertion of a job as one line: its text, the values that it names, and what the program answered last.

Made when the verdict is known. Values of exact built-in types alone are written out: nothing of the program runs for
it, and the program is not asked. What it answered is shortened, and its strings are escaped by `repr`.
"""

import re
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

from . import pytest_like
from .stand_ins import WholeMapping, WholeSequence, WholeSet

RAISED = object()
"""The result of a question to which the program answered with an exception."""

CHANGED = ("the operands",)
"""Stands for the operands of a question where the program may have changed them."""

Asked = tuple[str, str, tuple[Any, ...], Any]
"""A question to the program: the operation, the label of its answer, the operands, and the result or RAISED."""

_TEXT_LENGTH = 200
_LINE_LENGTH = 600
_MOST_MEMBERS = 20
_MOST_LEVELS = 4
_MOST_NAMES = 4
_INTEGER_BITS = 660

_SCALARS = (bool, float, complex, types.NoneType)
_TEXTS = (str, bytes, bytearray)
_BRACES = ("{", "}")
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: _BRACES,
    frozenset: _BRACES,
    deque: ("[", "]"),
}
_MAPPINGS = (dict, Counter, OrderedDict, defaultdict)
_PLAIN = (*_SCALARS, *_TEXTS, *_BRACKETS, *_MAPPINGS, int)
_WITHOUT_MEMBERS = ("datetime", "decimal", "fractions", "uuid")
"""Modules whose values have no members that could be the program's."""

_WHOLE = (WholeSequence, WholeMapping, WholeSet)
_WORD = re.compile(r"[^\W\d]\w*")


def assertion(error: AssertionError, tests: str, message: str, asked: Asked | None) -> str:
    """Return the assertion that did not hold, with its values and its message. `asked` is the last question."""
    line, scope = _failed_line(error, tests)
    values = [] if line.startswith("raise") else _values(line, scope, asked)
    if message and message not in line:
        values.append(message)
    line = _shortened(line, _LINE_LENGTH)
    return f"{line}  # {'; '.join(values)}" if values else line


def _values(line: str, scope: dict[str, Any], asked: Asked | None) -> list[str]:
    try:
        return [*_named_values(line, scope), *_answer(asked)]
    except Exception:  # noqa: BLE001 - a description is not worth a verdict; memory may be short
        return []


def cause(asked: Asked | None) -> str:
    """Return the last call and its answer, to stand after an exception; the call alone where it raised that."""
    try:
        words = _call(asked) if asked and asked[3] is RAISED else "".join(_answer(asked))
    except Exception:  # noqa: BLE001 - as above
        return ""
    return f"  # {words}" if words else ""


def _failed_line(error: AssertionError, tests: str) -> tuple[str, dict[str, Any]]:
    """The expression of the tests that raised an error, on one line, and the names that it could use."""
    trace, last = error.__traceback__, None
    while trace is not None:
        last = trace if trace.tb_frame.f_code.co_filename == pytest_like.TESTS else last
        trace = trace.tb_next
    if last is None:
        return "assert", {}
    first, end, *_ = next(islice(last.tb_frame.f_code.co_positions(), last.tb_lasti // 2, None), (None, None))
    first = first or last.tb_lineno
    lines = tests.split("\n")[first - 1 : max(first, end or 0)]
    return " ".join(line.strip() for line in lines) or "assert", _scope(last.tb_frame)


def _scope(frame: types.FrameType) -> dict[str, Any]:
    """A frame's names; empty where they are in a mapping of the tests' own, which would run for it."""
    scope: Any = frame.f_locals
    if isinstance(scope, dict):
        return scope
    return dict(scope) if type(scope).__module__ == "builtins" else {}  # since Python 3.13 no dict, in functions


def _named_values(line: str, scope: dict[str, Any]) -> list[str]:
    """The plain values of the names in a line. A name that the tests never used is not looked for: `dict.get`."""
    values = {name: dict.get(scope, name, RAISED) for name in _WORD.findall(line)}
    shown = [f"{name} = {text_of(value)}" for name, value in values.items() if type(value) in _PLAIN]
    return shown[:_MOST_NAMES]


def _answer(asked: Asked | None) -> list[str]:
    if asked is None or asked[3] is RAISED:
        return []
    call = _call(asked)
    return [f"{call} {'returned' if call.endswith(')') else 'is'} {text_of(asked[3])}"] if call else []


def _call(asked: Asked) -> str:
    """A question as an expression; "" for one that has no such form."""
    operation, label, operands, _ = asked
    if operation == "attribute":
        return label
    if operation not in ("call", "call_named"):
        return ""
    if operands is CHANGED:
        return f"{label.removesuffix('()')}(...)"
    named = operands[0] if operation == "call_named" else {}
    given = operands[1:] if operation == "call_named" else operands
    parts = [text_of(value) for value in given] + [f"{name}={text_of(value)}" for name, value in named.items()]
    return f"{label.removesuffix('()')}({_shortened(', '.join(parts), _LINE_LENGTH)})"


def text_of(value: Any, levels: int = _MOST_LEVELS) -> str:
    """Return a value as one short line. Objects that are not of a built-in type are named, and not asked."""
    kind = type(value)
    if kind in _SCALARS:
        return repr(value)
    if kind is int:
        bits = value.bit_length()
        return repr(value) if bits < _INTEGER_BITS else f"<int of {bits:,} bits>"
    if kind in _TEXTS:
        shown = repr(value[:_TEXT_LENGTH])
        return shown if len(value) <= _TEXT_LENGTH else f"{shown}..."
    if kind in _WHOLE:
        return f"{_name(value)}({text_of(object.__getattribute__(value, '_members'), levels)})"
    if kind in _PLAIN:
        return _shortened(_members(value, levels - 1), _TEXT_LENGTH)
    return repr(value)[:_TEXT_LENGTH] if _is_of_library(kind) else f"<{_name(value)}>"


def _is_of_library(kind: type) -> bool:
    module = kind.__module__
    return module in _WITHOUT_MEMBERS and getattr(sys.modules.get(module), kind.__name__, None) is kind


def _members(value: Any, levels: int) -> str:
    """The text of a container."""
    kind = type(value)
    name = "" if kind in (list, tuple, set, dict) else kind.__name__
    start, end = _BRACKETS.get(kind, _BRACES)
    if not value:
        return f"{kind.__name__}()" if name or kind is set else start + end
    parts = ["..."]
    if levels >= 0:
        first = islice(value.items() if kind in _MAPPINGS else value, _MOST_MEMBERS)
        parts = list(_pairs(first, levels) if kind in _MAPPINGS else (text_of(item, levels) for item in first))
        parts += ["..."] if len(value) > _MOST_MEMBERS else []
    text = start + ", ".join(parts) + ("," if kind is tuple and len(value) == 1 else "") + end
    return f"{name}({text})" if name else text


def _pairs(items: Iterable[tuple[Any, Any]], levels: int) -> Iterable[str]:
    return (f"{text_of(key, levels)}: {text_of(value, levels)}" for key, value in items)


def _name(value: Any) -> str:
    """The name of an object's class; the program chose it where the object is the program's."""
    try:
        name = object.__getattribute__(value, "__name__")
    except AttributeError:
        name = type(value).__name__
    return repr(name)[1:-1][:_TEXT_LENGTH] if type(name) is str else "object"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."
