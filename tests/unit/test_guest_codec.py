"""Values cross as themselves, by exact type, and nothing else can be made to arrive."""

import array
import collections
import copy
import datetime
import fractions
import json
import math
import pathlib
import types
import uuid
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.guest import library
from sandbox.guest.codec import Decoder, Encoder, MalformedError
from sandbox.guest.graph import Graph, UnknownObjectError
from sandbox.guest.library import UnsendableError


def refuse(value: object) -> NoReturn:
    raise UnsendableError(type(value).__name__)


def reject(tag: str, body: object) -> NoReturn:
    raise MalformedError(tag)


def export(value: object) -> Any:  # noqa: ANN401
    """Pack a value as both ends do before any other step."""
    packed = library.pack(value, ENCODER)
    packed = ENCODER.base(value) if packed is None else packed
    return refuse(value) if packed is None else packed


ENCODER = Encoder(export)


def through(value: Any) -> Any:  # noqa: ANN401
    return Decoder(reject).unpack(json.loads(json.dumps(ENCODER.pack(value))))


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
        ENCODER.pack([value])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("tdsfbacrxh") | st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_hostile_messages_are_values_or_malformed(message: object):
    try:
        value = Decoder(reject).unpack(message)
    except MalformedError:
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
        Decoder(reject).unpack(message)


def test_dates_with_a_zone():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 6, zone)
    assert through(moment) == moment
    assert through(moment).utcoffset() == moment.utcoffset()


@pytest.mark.parametrize(
    "value",
    [
        collections.UserList([1, [2]]), collections.UserDict(a=1), collections.UserString("a"),
        collections.ChainMap({"a": 1}, {"b": 2}), memoryview(b"abc"), array.array("d", [1.5]), slice(1, None, 2),
        types.MappingProxyType({"a": 1}), types.SimpleNamespace(a=1), uuid.UUID(int=5), pathlib.PurePosixPath("a/b"),
        pathlib.Path("a"),
    ],
)  # fmt: skip
def test_wrappers_arrive_as_themselves(value: object):
    assert type(through(value)) is type(value)
    assert through(value) == value


def test_a_view_backwards_arrives():
    assert through(memoryview(b"abc")[::-1]) == b"cba"


def test_numbers_of_numpy():
    assert through(np.int64(3)) == 3
    assert type(through(np.int64(3))) is np.int64  # this process has NumPy, as tests that compare its types have
    assert through(np.bool_(True)) == np.True_
    assert through([np.float32(0.5), np.complex128(1j)]) == [0.5, 1j]
    table = through(np.array([[1, 2], [3, 4]], dtype=np.int32))
    assert table.dtype == np.int32
    assert table.tolist() == [[1, 2], [3, 4]]
    assert through(np.array(["a", "bc"])).tolist() == ["a", "bc"]


def test_arrays_of_objects_do_not_cross():
    with pytest.raises(UnsendableError):
        ENCODER.pack(np.array([object()]))


@pytest.mark.parametrize(
    "message", [{"ndarray": ["O", [1], [1]]}, {"scalar": ["O8", 1]}, {"userlist": {"d": [[], []]}}]
)
def test_malformed_library_values(message: object):
    with pytest.raises(MalformedError):
        Decoder(reject).unpack(message)


class Side:
    """One end of a channel with a graph."""

    def __init__(self, side: int) -> None:
        self.graph = Graph(side)
        self.encoder, self.decoder = Encoder(refuse, self.graph), Decoder(reject, self.graph)

    def send(self, value: object, to: "Side") -> Any:  # noqa: ANN401
        message = [self.encoder.pack(value), self.graph.outgoing(self.encoder.content)]
        packed, news = json.loads(json.dumps(message))
        arrived = to.decoder.unpack(packed)
        to.graph.incoming(news, to.decoder.unpack_content)
        return arrived


def test_shared_members_arrive_shared():
    here, peer = Side(0), Side(1)
    inner: list[int] = [1]
    arrived = here.send([inner, {"a": inner}, (inner,)], peer)
    assert arrived[0] is arrived[1]["a"] is arrived[2][0]


def test_cycles_arrive():
    here, peer = Side(0), Side(1)
    loop: list[Any] = [1]
    loop.append(loop)
    arrived = here.send(loop, peer)
    assert arrived[1] is arrived


def test_an_object_that_comes_back_is_the_same_one():
    here, peer = Side(0), Side(1)
    xs = [1, 2]
    assert peer.send(here.send(xs, peer), here) is xs
    assert here.graph.touched


MUTABLE = [
    ([3, 1], lambda xs: xs.sort()), ({"a": 1}, lambda d: d.update(b=[2])), ({1}, lambda s: s.add(2)),
    (collections.deque([1], 3), lambda d: d.appendleft(0)), (bytearray(b"a"), lambda b: b.append(98)),
    (collections.Counter("a"), lambda c: c.update("ab")), (collections.defaultdict(list, a=[]), lambda d: d["b"]),
    (collections.OrderedDict(a=1, b=2), lambda d: d.move_to_end("a")), ([[1]], lambda xs: xs[0].clear()),
]  # fmt: skip


@pytest.mark.parametrize(("value", "change"), MUTABLE)
def test_changes_arrive_in_place(value: Any, change: Any):  # noqa: ANN401
    here, peer = Side(0), Side(1)
    mine = copy.deepcopy(value)
    theirs = here.send(mine, peer)
    change(theirs)
    peer.send(None, here)
    assert same(mine, theirs)
    assert list(mine) == list(theirs)
    change(mine)
    here.send(None, peer)
    assert same(mine, theirs)


def test_what_a_side_no_longer_has_is_forgotten_on_both():
    here, peer = Side(0), Side(1)
    xs = [1]
    here.send(xs, peer)  # what arrived is dropped at once
    peer.send(None, here)
    assert here.graph.number_of(xs) is None
    assert here.send([xs], peer) == [[1]]


def test_an_object_that_only_one_side_has_left_is_no_longer_changed():
    here, peer = Side(0), Side(1)
    theirs = here.send([1], peer)
    here.send(None, peer)
    theirs.append(2)
    peer.send(None, here)
    assert not here.graph.touched


def test_what_was_not_sent_is_taken_back():
    here, peer = Side(0), Side(1)
    with pytest.raises(UnsendableError):
        here.encoder.pack([[1], object()])
    here.graph.take_back()
    xs = [2]
    assert peer.send(here.send(xs, peer), here) is xs


@pytest.mark.parametrize(
    ("value", "news"),
    [({"@": 7}, None), ([1], [[0], [[0, {"d": [[], []]}]]]), ([1], [[0], [[5, []]]]), (1, [[0], [[0, 3]]])],
)
def test_hostile_news_are_refused(value: object, news: Any):  # noqa: ANN401
    here, peer = Side(0), Side(1)
    kept = here.send([1], peer)
    with pytest.raises((MalformedError, UnknownObjectError)):
        _ = here.decoder.unpack(value), here.graph.incoming(news, here.decoder.unpack_content)
    assert kept == [1]
