"""Values of the standard library's own types, and of NumPy's: numbers, dates, wrappers of lists and dicts.

A module is imported by the end that meets such a value. They are large, few programs use them, and every fork pays for
what the zygote holds. A value of a module that was never imported cannot be there.
"""

import sys
from collections import ChainMap, UserDict, UserList, UserString
from collections.abc import Callable
from functools import cache
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime, time, tzinfo

    from .codec import Decoder, Encoder

Packer = Callable[[Any, "Encoder"], Any]
Unpacker = Callable[[Any, "Decoder"], Any]

_NUMPY_KINDS = frozenset("?biufcUS")


class UnsendableError(TypeError):
    """A value that cannot cross."""


def pack(value: Any, to: "Encoder") -> Any:
    """The JSON form of `value`; None where it is of no type of these. Raises UnsendableError."""
    for base, tag, packer in _ALWAYS:
        if isinstance(value, base):
            return {tag: packer(value, to)}
    for module, packers in _PACKERS.items():
        if module in sys.modules:
            for base, tag, packer in packers():
                if isinstance(value, base):
                    return {tag: packer(value, to)}
    return _pack_numpy(value, to) if "numpy" in sys.modules else None


def _pack_memory(value: memoryview, _to: "Encoder") -> list[Any]:
    return [value.tobytes().decode("latin-1"), value.format]


_ALWAYS: list[tuple[type, str, Packer]] = [
    (UserList, "userlist", lambda value, to: to.pack(value.data)),
    (UserDict, "userdict", lambda value, to: to.pack(value.data)),
    (UserString, "userstring", lambda value, to: str(value.data)),
    (ChainMap, "chain", lambda value, to: to.items(value.maps)),
    (MappingProxyType, "proxy", lambda value, to: to.pack(dict(value))),
    (memoryview, "memory", _pack_memory),
    (SimpleNamespace, "namespace", lambda value, to: to.pack(vars(value))),
]


@cache
def _decimal() -> list[tuple[type, str, Packer]]:
    from decimal import Decimal

    return [(Decimal, "decimal", lambda value, to: Decimal.__str__(value))]


@cache
def _fractions() -> list[tuple[type, str, Packer]]:
    from fractions import Fraction

    return [(Fraction, "fraction", lambda value, to: [value.numerator, value.denominator])]


@cache
def _datetime() -> list[tuple[type, str, Packer]]:
    from datetime import date, datetime, time, timedelta, timezone

    return [
        (datetime, "datetime", _pack_datetime),
        (date, "date", lambda value, to: [value.year, value.month, value.day]),  # after datetime, which is a date
        (time, "time", _pack_time),
        (timedelta, "timedelta", lambda value, to: [value.days, value.seconds, value.microseconds]),
        (timezone, "zone", lambda value, to: _pack_zone(value)),
    ]


@cache
def _array() -> list[tuple[type, str, Packer]]:
    from array import array

    return [(array, "array", lambda value, to: [value.typecode, value.tolist()])]


@cache
def _uuid() -> list[tuple[type, str, Packer]]:
    from uuid import UUID

    return [(UUID, "uuid", lambda value, to: str(value))]


@cache
def _pathlib() -> list[tuple[type, str, Packer]]:
    from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

    return [
        (Path, "path", lambda value, to: str(value)),
        (PureWindowsPath, "windowspath", lambda value, to: str(value)),
        (PurePosixPath, "posixpath", lambda value, to: str(value)),
        (PurePath, "path", lambda value, to: str(value)),
    ]


_PACKERS: dict[str, Callable[[], list[tuple[type, str, Packer]]]] = {
    "decimal": _decimal,
    "fractions": _fractions,
    "datetime": _datetime,
    "array": _array,
    "uuid": _uuid,
    "pathlib": _pathlib,
}


def _pack_zone(zone: "tzinfo | None") -> Any:
    from datetime import timezone

    if zone is None:
        return None
    if type(zone) is timezone:
        offset = zone.utcoffset(None)
        return [offset.days, offset.seconds, offset.microseconds]
    key = getattr(zone, "key", None)
    if type(zone).__module__.partition(".")[0] == "zoneinfo" and isinstance(key, str):
        return key
    raise UnsendableError("a time in a zone of the program's making cannot cross")


def _pack_datetime(value: "datetime", to: "Encoder") -> list[Any]:
    return [value.year, value.month, value.day, *_pack_time(value, to)]


def _pack_time(value: "datetime | time", _to: "Encoder") -> list[Any]:
    return [value.hour, value.minute, value.second, value.microsecond, value.fold, _pack_zone(value.tzinfo)]


def _pack_numpy(value: Any, _to: "Encoder") -> Any:
    """Scalars and arrays of plain numbers and texts."""
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.generic) and value.dtype.kind in _NUMPY_KINDS:
        return {"scalar": [value.dtype.str, *_pack_numbers(value.dtype.kind, [value.item()])]}
    if type(value) is numpy.ndarray and value.dtype.kind in _NUMPY_KINDS:
        return {
            "ndarray": [value.dtype.str, list(value.shape), _pack_numbers(value.dtype.kind, value.ravel().tolist())]
        }
    return None


def _pack_numbers(kind: str, numbers: list[Any]) -> list[Any]:
    if kind == "c":
        return [[number.real, number.imag] for number in numbers]
    return [number.decode("latin-1") for number in numbers] if kind == "S" else numbers


def _unpack_numbers(kind: str, numbers: list[Any]) -> list[Any]:
    if kind == "c":
        return [complex(*pair) for pair in numbers]
    return [number.encode("latin-1") for number in numbers] if kind == "S" else numbers


def _kind(dtype: str) -> str:
    kind = dtype.lstrip("<>|=")[0]
    if kind not in _NUMPY_KINDS or not dtype.lstrip("<>|=")[1:].isdigit():
        raise ValueError("no type of numbers")
    return kind


def _unpack_scalar(body: Any, _to: "Decoder") -> Any:
    dtype, item = body
    (value,) = _unpack_numbers(_kind(dtype), [item])
    # Where the tests have not asked for NumPy, nothing tells its numbers from Python's own.
    numpy = sys.modules.get("numpy")
    return value if numpy is None else numpy.dtype(dtype).type(value)


def _unpack_array(body: Any, _to: "Decoder") -> Any:
    import numpy  # type: ignore[import-not-found,unused-ignore]

    dtype, shape, numbers = body
    return numpy.array(_unpack_numbers(_kind(dtype), numbers), dtype=dtype).reshape(shape)


def _unpack_decimal(body: Any, _to: "Decoder") -> Any:
    from decimal import Decimal

    return Decimal(body)


def _unpack_fraction(body: Any, _to: "Decoder") -> Any:
    from fractions import Fraction

    return Fraction(body[0], body[1])


def _unpack_zone(zone: Any) -> "tzinfo | None":
    from datetime import timedelta, timezone

    if zone is None:
        return None
    if type(zone) is str:
        from zoneinfo import ZoneInfo

        return ZoneInfo(zone)
    return timezone(timedelta(*zone))


def _unpack_datetime(body: Any, _to: "Decoder") -> Any:
    from datetime import datetime

    *numbers, fold, zone = body
    year, month, day, hour, minute, second, microsecond = numbers
    return datetime(year, month, day, hour, minute, second, microsecond, _unpack_zone(zone), fold=fold)


def _unpack_date(body: Any, _to: "Decoder") -> Any:
    from datetime import date

    return date(*body)


def _unpack_time(body: Any, _to: "Decoder") -> Any:
    from datetime import time

    hour, minute, second, microsecond, fold, zone = body
    return time(hour, minute, second, microsecond, _unpack_zone(zone), fold=fold)


def _unpack_timedelta(body: Any, _to: "Decoder") -> Any:
    from datetime import timedelta

    return timedelta(days=body[0], seconds=body[1], microseconds=body[2])


def _unpack_array_module(body: Any, _to: "Decoder") -> Any:
    from array import array

    return array(body[0], body[1])


def _unpack_uuid(body: Any, _to: "Decoder") -> Any:
    from uuid import UUID

    return UUID(body)


def _unpack_path(kind: str) -> Unpacker:
    def unpack(body: Any, _to: "Decoder") -> Any:
        import pathlib

        return getattr(pathlib, kind)(body)

    return unpack


def _checked(kind: type, build: Callable[[Any], Any]) -> Unpacker:
    """The reader of a wrapper of a `kind`: a wrapper of anything else would do as that does."""

    def unpack(body: Any, to: "Decoder") -> Any:
        value = to.unpack(body)
        if type(value) is not kind:
            raise TypeError(f"no {kind.__name__}")
        return build(value)

    return unpack


def _user_list(value: list[Any]) -> UserList[Any]:
    wrapped: UserList[Any] = UserList()
    wrapped.data = value
    return wrapped


def _unpack_chain(body: Any, to: "Decoder") -> Any:
    maps = to.unpack_items(body)
    if not all(isinstance(each, dict) for each in maps):
        raise TypeError("no dict")
    return ChainMap(*maps)


UNPACKERS: dict[str, Unpacker] = {
    "userlist": _checked(list, _user_list),
    "userdict": _checked(dict, UserDict),
    "userstring": lambda body, to: UserString(str(body)),
    "chain": _unpack_chain,
    "proxy": _checked(dict, MappingProxyType),
    "memory": lambda body, to: memoryview(body[0].encode("latin-1")).cast(body[1]),
    "namespace": _checked(dict, lambda value: SimpleNamespace(**value)),
    "decimal": _unpack_decimal,
    "fraction": _unpack_fraction,
    "datetime": _unpack_datetime,
    "date": _unpack_date,
    "time": _unpack_time,
    "timedelta": _unpack_timedelta,
    "zone": lambda body, to: _unpack_zone(body),
    "array": _unpack_array_module,
    "uuid": _unpack_uuid,
    "path": _unpack_path("PurePosixPath" if sys.platform == "win32" else "Path"),
    "posixpath": _unpack_path("PurePosixPath"),
    "windowspath": _unpack_path("PureWindowsPath"),
    "scalar": _unpack_scalar,
    "ndarray": _unpack_array,
}
