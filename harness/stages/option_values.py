"""Checks of options, whether the command line, a TOML file or the library gives them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields
from operator import ge, gt, le
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from harness.errors import QprobeError

T = TypeVar("T")

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
"""Type of an option -> how an error calls its values."""


RULES: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "least": ("at least", ge),
    "above": ("above", gt),
    "most": ("at most", le),
}
"""Bound of an option -> the words for it, and whether a number keeps it."""


def option(
    default: T,
    text: str,
    *,
    flag: str = "",
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    required: bool = False,
    metavar: str | None = None,
    complete: Callable[[str], list[str]] | None = None,
) -> T:
    """Return a dataclass field with what the command line has to say of it.

    `flag` is the option where it differs from the field's name; `required` holds for the stage's own command. A number,
    or each of a list, is at least `least`, more than `above` and at most `most`.
    """
    described = {"help": text, "flag": flag, "least": least, "above": above, "most": most, "metavar": metavar}
    entry: T = field(default=default, metadata={**described, "required": required, "complete": complete})
    return entry


class CheckedOptions:
    """A dataclass of options whose values are checked when it is made."""

    def __post_init__(self) -> None:
        """Take lists as tuples and text as paths. Raises QprobeError for a value of another type or out of range."""
        kinds = get_type_hints(type(self))
        for entry in fields(self):  # type: ignore[arg-type] # a dataclass
            value = _converted(kinds[entry.name], getattr(self, entry.name))
            object.__setattr__(self, entry.name, value)
            _check(flag_of(entry), value, kinds[entry.name], entry.metadata)


def flag_of(entry: "Field[Any]") -> str:
    """Return a field's option on the command line."""
    return entry.metadata["flag"] or f"--{entry.name.replace('_', '-')}"


def _converted(kind: Any, value: Any) -> Any:  # noqa: ANN401 - values of options
    if get_origin(kind) is tuple:
        return () if value is None else tuple(value) if isinstance(value, list) else value
    return Path(value) if isinstance(value, str) and Path in get_args(kind) else value


def _check(flag: str, value: Any, kind: Any, bounds: Mapping[str, Any]) -> None:  # noqa: ANN401 - any type
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            raise QprobeError(f"{flag} must be a list, not {value!r}.")
        for item in value:
            _check(flag, item, get_args(kind)[0], bounds)
        return
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if not any(_fits(value, one) for one in kinds):
        raise QprobeError(f"{flag} must be {_described(kinds)}, not {value!r}.")
    if isinstance(value, int | float):
        _check_number(flag, value, bounds)


def _check_number(flag: str, number: float, bounds: Mapping[str, Any]) -> None:
    for name, (words, holds) in RULES.items():
        if (bound := bounds[name]) is not None and not holds(number, bound):
            raise QprobeError(f"{flag} must be {words} {bound:.10g}, not {number:.10g}.")
    if not math.isfinite(number):
        raise QprobeError(f"{flag} must be finite, not {number}.")


def _fits(value: object, kind: Any) -> bool:  # noqa: ANN401 - any type
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _described(kinds: tuple[Any, ...]) -> str:
    described = [
        f"one of {', '.join(get_args(kind))}" if get_origin(kind) is Literal else WORDS[kind]
        for kind in kinds
        if kind is not NoneType
    ]
    return " or ".join(described)
