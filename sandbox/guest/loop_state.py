"""The state of a loop: the values of all that it uses. Where two states are equal, what follows is the same.

Only values that behave as what they hold says have a state. An iterator, for one, hides how far it has come.
"""

import builtins
import functools
import itertools
import math
import string
from collections import defaultdict, deque
from collections.abc import Iterable
from types import BuiltinFunctionType, CellType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from .loop_source import MODULE_MEMBERS, Loop, OpenLoopError, Source, read, sums

_MOST_VALUES = 5_000

_PLAIN = (int, bool, str, bytes, type(None))
_SEQUENCES = (list, tuple, deque)
_FACTORIES = (int, float, str, bool, list, dict, tuple)
_PURE_BUILTINS = """
    abs all any bin bool bytes chr dict divmod enumerate filter float format frozenset hex int isinstance iter len list
    map max min next oct ord pow range repr reversed round set slice sorted str sum tuple type zip
"""
_UNBOUND = object()


class UnknownStateError(Exception):
    """The state of a value cannot be told, or is too large."""


class Changes(NamedTuple):
    """Changes to values whose past shows: in the order of a set, and in how a dict grows while it is walked over."""

    sets: bool = False
    dicts_on_walk: bool = False


class _Same:
    """Equal for one and the same object only, which it keeps alive."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._value is self._value


def _pure_values() -> dict[int, Any]:
    """The functions and modules that closed code may use, by `id`. Raises OpenLoopError where a module was changed."""
    pure = [getattr(builtins, name, None) for name in _PURE_BUILTINS.split()]
    pure += [value for value in vars(builtins).values() if isinstance(value, type) and issubclass(value, Exception)]
    for module in (math, itertools, string):
        members = [value for name, value in vars(module).items() if name in MODULE_MEMBERS]
        if not all(type(value) in (float, str) or _is_genuine(value) for value in members):
            raise OpenLoopError
        pure += members
    pure = [value for value in (*pure, functools.reduce, deque, defaultdict) if _is_genuine(value)]
    return {id(value): value for value in (*pure, math, itertools, string, _UNBOUND)}


def _is_genuine(value: Any) -> bool:
    """Return whether a value is a function or a class of the interpreter, not a patch of the program's."""
    if type(value) is BuiltinFunctionType:
        return type(value.__self__) is ModuleType
    return type(value) is type and value.__module__ in ("builtins", "itertools", "collections")


class LoopState:
    """Reads the state of one loop."""

    def __init__(self, source: Source, loop: Loop, frame: FrameType, may_print: bool) -> None:
        """`frame` runs the loop's function. Raises OpenLoopError where it, or a function it calls, is not closed."""
        self._source = source
        self._frame = frame
        self._fixed = _pure_values()
        if may_print:
            self._fixed[id(print)] = print
        self._cells: list[CellType] = []
        self._defaults: list[Any] = []
        self._globals: set[str] = set()
        self._readings = [read(loop.nodes)]
        code, names = frame.f_code, self._readings[0].names
        shared = {*code.co_cellvars, *code.co_freevars}
        local = set() if code.co_name == "<module>" else shared.union(code.co_varnames)
        added = sums(loop) - shared
        self._locals = sorted((names & local) - added)
        for name in self._locals:
            self._enter(frame.f_locals.get(name))
        self._use_globals((names - local - added) | self._readings[0].inner_names)
        # At the top of the program, a function that reads a sum makes more of it than a sum.
        self._sums = sorted(added if local else added - self._globals)
        self._changes = Changes(
            sets=any(reading.changes_sets for reading in self._readings),
            dicts_on_walk=any(reading.changes_on_walk for reading in self._readings)
            or (
                any(reading.walks for reading in self._readings)
                and any(reading.changes_dicts for reading in self._readings[1:])
            ),
        )

    def read(self) -> list[Any]:
        """The present state, to be compared with an earlier one. Raises UnknownStateError."""
        local = self._frame.f_locals
        kinds = [type(local.get(name)) for name in self._sums]
        if not all(kind is int or kind is float for kind in kinds):
            raise UnknownStateError
        values = [local.get(name, _UNBOUND) for name in self._locals]
        values += [self._global(name) for name in sorted(self._globals)]
        values += [*map(_content, self._cells), *self._defaults]
        return kinds + state_of(values, self._fixed, self._changes)

    def _global(self, name: str) -> Any:
        return self._frame.f_globals.get(name, self._frame.f_builtins.get(name, _UNBOUND))

    def _use_globals(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._globals:
                self._globals.add(name)
                self._enter(self._global(name))

    def _enter(self, value: Any) -> None:
        """Read a function of the program, which the loop may call."""
        if type(value) is not FunctionType or id(value) in self._fixed:
            return
        code, body = value.__code__, self._source.body(value.__code__)
        if not body or value.__globals__ is not self._frame.f_globals:
            raise OpenLoopError
        self._fixed[id(value)] = value
        reading = read(body)
        self._readings.append(reading)
        if any(reading.catches for reading in self._readings):  # how deep a recursion goes is not in the state
            raise OpenLoopError
        self._defaults += [value.__defaults__, value.__kwdefaults__]
        own = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        self._use_globals((reading.names - own) | reading.inner_names)
        for cell in value.__closure__ or ():
            self._cells.append(cell)
            self._enter(_content(cell))


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _UNBOUND


def state_of(values: Iterable[Any], fixed: dict[int, Any], changes: Changes) -> list[Any]:
    """Return the state of `values` and of all that they hold.

    `fixed` are the functions and modules that may occur among them, by `id`. Raises UnknownStateError.
    """
    state: list[Any] = []
    places: dict[int, int] = {}  # of what can change, because it matters whether two names share one
    pending = list(values)[::-1]
    while pending:
        value = pending.pop()
        kind = type(value)
        if len(state) > _MOST_VALUES:
            raise UnknownStateError
        state.append(kind)
        if _is_one_of(kind, _PLAIN):
            state.append(value)
        elif kind is range:
            state += [value.start, value.stop, value.step]
        elif kind is float:
            state.append(_float_state(value))
        elif id(value) in fixed:
            state.append(_Same(value))
        elif id(value) in places:
            state.append(places[id(value)])
        else:
            if kind is not tuple:
                places[id(value)] = len(state)
            about, parts = _parts(value, changes)
            state += [about, len(parts)]
            pending += parts[::-1]
    return state


def _float_state(value: float) -> str:
    if math.isnan(value):  # whether it equals itself depends on which object it is
        raise UnknownStateError
    return value.hex()  # tells -0.0 from 0.0


def _parts(value: Any, changes: Changes) -> tuple[Any, list[Any]]:
    """A mark that tells `value` from others with the same members, and its members."""
    kind = type(value)
    if not _is_one_of(kind, (*_SEQUENCES, dict, defaultdict, set, frozenset)) or len(value) > _MOST_VALUES:
        raise UnknownStateError
    if _is_one_of(kind, _SEQUENCES):
        return (value.maxlen if kind is deque else None), list(value)
    if kind is frozenset or (kind is set and not changes.sets):
        return _Same(value), list(value)
    about = value.default_factory if kind is defaultdict else None
    if kind is set or changes.dicts_on_walk or not (about is None or _is_one_of(about, _FACTORIES)):
        raise UnknownStateError
    return about, [part for pair in value.items() for part in pair]


def _is_one_of(kind: Any, kinds: tuple[type, ...]) -> bool:
    """Return whether `kind` is among `kinds`; a class may say that it equals another."""
    return any(kind is one for one in kinds)
