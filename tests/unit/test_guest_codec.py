"""Values cross as themselves, by exact type, and nothing else can be made to arrive."""

import collections
import datetime
import fractions
import json
import math
from decimal import Decimal
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.guest.codec import Decoder, MalformedError, pack
from sandbox.guest.library import UnsendableError


def refuse(value: object) -> NoReturn:
    raise UnsendableError(type(value).__name__)


def through(value: Any) -> Any:  # noqa: ANN401
    return Decoder(refuse).unpack(json.loads(json.dumps(pack(value, refuse))))


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()) | st.binary()
    | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False) | st.fractions() | st.dates() | st.datetimes()
    | st.times() | st.timedeltas() | st.builds(range, st.integers(-99, 99), st.integers(-99, 99), st.integers(1, 9))
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.lists(inner).map(collections.deque)
        | st.sets(SCALARS) | st.frozensets(SCALARS) | st.dictionaries(SCALARS, inner)
        | st.dictionaries(SCALARS, inner).map(collections.OrderedDict)
        | st.dictionaries(SCALARS, st.integers()).map(collections.Counter)
    ),
    max_leaves=20,
)  # fmt: skip


def same(a: object, b: object) -> bool:
    """Equal, and of the same types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return all(same(x, y) for x, y in zip(a.items(), b.items(), strict=True))
    if isinstance(a, list | tuple | collections.deque):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(VALUES)
def test_a_value_arrives_as_itself(value: object):
    assert same(through(value), value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, "\ud800", "\u2028\x00", ..., int, ValueError, len])
def test_odd_values(value: object):
    arrived = through(value)
    assert type(arrived) is type(value)
    assert str(arrived) == str(value)


def test_nan_arrives():
    assert math.isnan(through(math.nan))


def test_long_integers_arrive_through_a_channel():
    assert through(10**4000) == 10**4000


@pytest.mark.parametrize("name", ["keys", "values", "items"])
def test_views_of_dicts(name: str):
    value = {"a": 1, "b": 2}
    assert list(through(getattr(value, name)())) == list(getattr(value, name)())
    assert type(through(getattr(value, name)())) is type(getattr(value, name)())


def test_defaults_survive():
    arrived = through(collections.defaultdict(list, a=[1]))
    assert arrived == {"a": [1]}
    assert arrived.default_factory is list


class _Liar:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize(
    "base", [int, str, float, list, tuple, dict, set, frozenset, Decimal, fractions.Fraction, bytes]
)
def test_a_subclass_arrives_as_its_base(base: type):
    liar = type("Liar", (base,), {"__eq__": lambda a, b: True, "__hash__": lambda a: 0})()
    assert type(through(liar)) is base
    assert through(liar) == base()
    assert type(through([liar])[0]) is base


@pytest.mark.parametrize("value", [_Liar(), lambda: 0, iter([]), json, object(), print, exec, eval, open])
def test_anything_else_does_not_cross_by_value(value: object):
    with pytest.raises(UnsendableError):
        pack([value], refuse)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("tdsfbacrxh") | st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_hostile_messages_are_values_or_malformed(message: object):
    try:
        value = Decoder(refuse).unpack(message)
    except (MalformedError, UnsendableError):
        return
    assert type(value).__module__ in ("builtins", "collections", "datetime", "decimal", "fractions")


@pytest.mark.parametrize(
    "message",
    [
        {}, {"t": 1}, {"s": [[1]]}, {"x": "exec"}, {"x": "__import__"}, {"nonsense": []}, {"t": [], "d": []},
        {"d": [[1], []]}, {"d": [[[1]], [1]]}, {"b": "\u2028"}, {"fraction": [1, 0]}, {"decimal": "x"},
        {"r": [1, 2, 0]},
        {"default": [[], [], "exec"]}, {"datetime": [1]}, {"t": {"t": []}}, [{"h": 1, "x": 2}],
    ],
)  # fmt: skip
def test_malformed_messages(message: object):
    with pytest.raises(MalformedError):
        Decoder(refuse).unpack(message)


def test_dates_with_a_zone():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 6, zone)
    assert through(moment) == moment
    assert through(moment).utcoffset() == moment.utcoffset()
