"""The small parts of the guest: frames, broom, tame tests."""

import os
from pathlib import Path

import pytest

from sandbox.guest import wire
from sandbox.guest.delete_tree import empty
from sandbox.guest.purity import is_pure


def test_headers_and_results_survive_packing():
    header = wire.JobHeader(7, 123, 1.5, 3.0, 2**40, 64, 2**33, 2**24, True)
    assert wire.unpack_job(wire.pack_job(header)) == header
    result = wire.Result(1, 0.5, 1.5, -9, 3)
    assert wire.unpack_result(wire.pack_result(result)) == result
    kind, number, size = wire.unpack_frame(wire.pack_frame(wire.Kind.DETAIL, 3, b"abc")[: wire.FRAME_BYTES])
    assert (kind, number, size) == (wire.Kind.DETAIL, 3, 3)


@pytest.mark.parametrize("data", [b"\x00" * wire.FRAME_BYTES, b"\xff" * wire.FRAME_BYTES, b"passed!!!"])
def test_bytes_that_are_no_frame(data: bytes):
    with pytest.raises(wire.StreamError):
        wire.unpack_frame(data)


def test_every_frame_is_atomic():
    assert wire.FRAME_BYTES + wire.DETAIL_BYTES <= wire.PIPE_ATOMIC


def test_a_stream_that_ends_in_the_middle():
    out, into = os.pipe()
    os.write(into, b"abc")
    os.close(into)
    with pytest.raises(wire.StreamError):
        wire.read_exact(out, 4)
    os.close(out)


def test_the_broom_empties_deep_locked_and_linked_folders(tmp_path: Path):
    room, outside = tmp_path / "room", tmp_path / "outside"
    room.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("x")
    (room / "link").symlink_to(outside)
    (room / "dangling").symlink_to("nowhere")
    os.mkfifo(room / "pipe")
    (room / "file").write_text("x")
    (room / "locked" / "inner").mkdir(parents=True)
    (room / "locked" / "inner" / "file").write_text("x")
    (room / "locked" / "inner").chmod(0)
    (room / "locked").chmod(0)
    _dig(room, 3000)
    (room / os.fsdecode(b"\xff\n name")).write_text("x")
    empty(str(room))
    assert list(room.iterdir()) == []
    assert (outside / "kept").read_text() == "x"


def _dig(top: Path, depth: int) -> None:
    """A chain of folders longer than any path may be."""
    here = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deeper", dir_fd=here)
        there = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)


@pytest.mark.parametrize(
    ("source", "tame"),
    [
        ("assert f(1) == 2", True),
        ("import math\nassert math.isclose(f(1), 2)", True),
        ("from collections import Counter\ndef check(c):\n    assert Counter(c(1)) == Counter()", True),
        ("def check(c):\n    import random\n    rng = random.Random(1)\n    assert c(rng.randint(1, 2))", True),
        ("assert eval(f(1)) == 2", False),
        ("import os\nassert f(1)", False),
        ("import numpy\nassert f(1)", False),
        ("from numpy import array\nassert f(1)", False),
        ("import math\nmath.pi = 3\nassert f(1)", False),
        ("def check(c):\n    def inner():\n        exec('1')\n    inner()", False),
        ("assert f.__globals__", False),
        ("check = lambda c: [__import__('os') for _ in c(1)]", False),
        ("import sys\nsys.setrecursionlimit(10)", False),
        ("root = Node(1)\nroot.left = Node(2)\nassert f(root)", False),
    ],
)
def test_tame_tests(source: str, tame: bool):
    assert is_pure(compile(source, "x", "exec")) is tame
