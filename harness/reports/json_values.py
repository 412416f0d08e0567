"""Values to and from JSON's own types. JSON has no NaN and no infinity: such numbers are written as null."""

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.errors import QprobeError

T = TypeVar("T")


def jsonable(value: Any) -> Any:  # noqa: ANN401 - walks JSON
    """Return the value in JSON's own types; tuples become lists, numbers that are not finite become None."""
    if isinstance(value, float):  # first what is most of a report, since telling a mapping takes long
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, str | int) or not isinstance(value, Mapping):
        return value
    return {name: jsonable(item) for name, item in value.items()}


def from_jsonable(kind: type[T], value: Any, place: str = "") -> T:  # noqa: ANN401 - walks JSON
    """Return a value of the type `kind`, the inverse of `jsonable`; for a plain float, null is NaN.

    Knows dataclasses, lists, tuples, dicts, unions with None, and JSON's own types; names that a dataclass does not
    have are ignored. Raises QprobeError, with the place in the JSON text, for a value that does not fit.
    """
    built: T = _build(kind, value, place)
    return built


def from_report_json(kind: type[T], data: Mapping[str, Any], schema: str) -> T:
    """Return a value of the type `kind` from JSON that names its layout. Raises QprobeError for another layout."""
    if (name := data.get("schema")) != schema:
        raise QprobeError(f"The report has the schema {name!r} instead of {schema!r}: make it again with this version.")
    try:
        return from_jsonable(kind, data)
    except QprobeError as error:
        raise QprobeError(f"The report does not follow its schema {schema}: {error}") from error


def _build(kind: Any, value: Any, place: str) -> Any:  # noqa: ANN401 - a type, and JSON
    if kind is Any:
        return value
    if kind is float and value is None:
        return math.nan
    if is_dataclass(kind):
        return _build_dataclass(kind, _checked(value, dict, place), place)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument is not types.NoneType]
        return None if value is None else _build(inner, value, place)
    if origin is dict:
        items = _checked(value, dict, place).items()
        return {name: _build(arguments[1], item, f"{place}.{name}") for name, item in items}
    if origin in (list, tuple):
        items = _build_items(origin, arguments, _checked(value, list, place), place)
        return origin(items)
    return float(value) if kind is float and type(value) is int else _checked(value, kind, place)


def _build_items(origin: type, arguments: tuple[Any, ...], values: list[Any], place: str) -> list[Any]:
    kinds = arguments if origin is tuple and arguments[-1] is not Ellipsis else [arguments[0]] * len(values)
    if len(kinds) != len(values):
        raise QprobeError(f"{place or 'The value'} holds {len(values)} items instead of {len(kinds)}.")
    return [_build(kind, value, f"{place}[{at}]") for at, (kind, value) in enumerate(zip(kinds, values, strict=True))]


def _build_dataclass(kind: Any, value: dict[str, Any], place: str) -> Any:  # noqa: ANN401 - a type
    hints, built = _hints(kind), {}
    for field in fields(kind):
        inner = f"{place}.{field.name}".lstrip(".")
        if field.name in value:
            built[field.name] = _build(hints[field.name], value[field.name], inner)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise QprobeError(f"{inner} is missing.")
    return kind(**built)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _checked(value: Any, kind: type, place: str) -> Any:  # noqa: ANN401 - walks JSON
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise QprobeError(f"{place or 'The value'} is {type(value).__name__} instead of {kind.__name__}.")
    return value
