"""Values of the standard library's own types: numbers of `decimal` and `fractions`, and what `datetime` has.

These modules are imported by whoever meets such a value. They are large, few programs use them, and what the zygote
holds every fork pays for. A value of a module that was never imported cannot be there.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime, time, timezone

Packer = Callable[[Any], Any]


class UnsendableError(TypeError):
    """A value that cannot cross."""


def pack(value: Any) -> Any:
    """The JSON form of `value`; None where it is of no type of these. Raises UnsendableError."""
    for module, packers in _PACKERS.items():
        if module in sys.modules:
            for base, tag, packer in packers():
                if isinstance(value, base):
                    return {tag: packer(value)}
    return None


@cache
def _decimal() -> list[tuple[type, str, Packer]]:
    from decimal import Decimal

    return [(Decimal, "decimal", Decimal.__str__)]


@cache
def _fractions() -> list[tuple[type, str, Packer]]:
    from fractions import Fraction

    return [(Fraction, "fraction", lambda value: [value.numerator, value.denominator])]


@cache
def _datetime() -> list[tuple[type, str, Packer]]:
    from datetime import date, datetime, time, timedelta

    return [
        (datetime, "datetime", _pack_datetime),
        (date, "date", lambda value: [value.year, value.month, value.day]),  # after datetime, which is a date
        (time, "time", _pack_time),
        (timedelta, "timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    ]


_PACKERS: dict[str, Callable[[], list[tuple[type, str, Packer]]]] = {
    "decimal": _decimal,
    "fractions": _fractions,
    "datetime": _datetime,
}


def _pack_zone(zone: Any) -> Any:
    from datetime import timezone

    if zone is None:
        return None
    if type(zone) is not timezone:
        raise UnsendableError("a time with a zone of its own cannot cross")
    return zone.utcoffset(None).total_seconds()


def _pack_datetime(value: "datetime") -> list[Any]:
    return [value.year, value.month, value.day, *_pack_time(value)]


def _pack_time(value: "datetime | time") -> list[Any]:
    return [value.hour, value.minute, value.second, value.microsecond, value.fold, _pack_zone(value.tzinfo)]


def _unpack_decimal(body: Any) -> Any:
    from decimal import Decimal

    return Decimal(body)


def _unpack_fraction(body: Any) -> Any:
    from fractions import Fraction

    return Fraction(body[0], body[1])


def _unpack_zone(seconds: Any) -> "timezone | None":
    from datetime import timedelta, timezone

    return None if seconds is None else timezone(timedelta(seconds=seconds))


def _unpack_datetime(body: Any) -> Any:
    from datetime import datetime

    *numbers, fold, zone = body
    year, month, day, hour, minute, second, microsecond = numbers
    return datetime(year, month, day, hour, minute, second, microsecond, _unpack_zone(zone), fold=fold)


def _unpack_date(body: Any) -> Any:
    from datetime import date

    return date(*body)


def _unpack_time(body: Any) -> Any:
    from datetime import time

    hour, minute, second, microsecond, fold, zone = body
    return time(hour, minute, second, microsecond, _unpack_zone(zone), fold=fold)


def _unpack_timedelta(body: Any) -> Any:
    from datetime import timedelta

    return timedelta(days=body[0], seconds=body[1], microseconds=body[2])


UNPACKERS: dict[str, Callable[[Any], Any]] = {
    "decimal": _unpack_decimal,
    "fraction": _unpack_fraction,
    "datetime": _unpack_datetime,
    "date": _unpack_date,
    "time": _unpack_time,
    "timedelta": _unpack_timedelta,
}
