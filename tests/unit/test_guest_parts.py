"""The small parts of the guest: frames, emptied folders, pure tests."""

import os
from pathlib import Path

import pytest

from sandbox.guest import wire
from sandbox.guest.delete_tree import empty_folder
from sandbox.guest.purity import is_pure


def test_headers_and_results_survive_packing():
    header = wire.JobHeader(7, 123, 1.5, 0.5, 3.0, 2**40, 64, 2**33, 2**24, True, False)
    assert wire.unpack_job(wire.pack_job(header)) == header
    for result in (wire.Result(1, 0.5, 1.5, -9, 3), wire.Result(1, 0.5, 1.5, -9, 3, True, b"why")):
        assert wire.unpack_result(wire.pack_result(result)) == result
    kind, number, size = wire.unpack_frame(wire.pack_frame(wire.Kind.RESULT, 3, b"abc")[: wire.FRAME_BYTES])
    assert (kind, number, size) == (wire.Kind.RESULT, 3, 3)


def test_a_report_counts_with_the_token_of_its_job_only():
    token = os.urandom(wire.TOKEN_BYTES)
    report = wire.Report(wire.Verdict.FAILED, True, b"why")
    data = wire.pack_report(token, report)
    assert wire.unpack_report(token, data) == report
    for forged in (b"", b"\x01", data[1:], token, token + b"\x01", token + b"\xff\x00", bytes(len(data))):
        assert wire.unpack_report(token, forged) is None
    assert wire.unpack_report(os.urandom(wire.TOKEN_BYTES), data) is None


@pytest.mark.parametrize("data", [b"\x00" * wire.FRAME_BYTES, b"\xff" * wire.FRAME_BYTES, b"passed!!!"])
def test_bytes_that_are_no_frame(data: bytes):
    with pytest.raises(wire.StreamError):
        wire.unpack_frame(data)


def test_the_longest_result_is_a_frame():
    long = wire.Report(wire.Verdict.FAILED, detail=b"x" * 10_000)
    report = wire.unpack_report(bytes(wire.TOKEN_BYTES), wire.pack_report(bytes(wire.TOKEN_BYTES), long))
    assert report is not None
    payload = wire.pack_result(wire.Result(1, 0.0, 0.0, 0, 0, detail=report.detail))
    frame = wire.pack_frame(wire.Kind.RESULT, 1, payload)
    assert wire.unpack_frame(frame[: wire.FRAME_BYTES])[2] == len(payload)


def test_a_stream_that_ends_in_the_middle():
    out, into = os.pipe()
    os.write(into, b"abc")
    os.close(into)
    with pytest.raises(wire.StreamError):
        wire.read_exact(out, 4)
    os.close(out)


def test_discarded_bytes_are_all_that_is_missing_afterwards():
    out, into = os.pipe()
    os.write(into, b"abcdefgh")
    wire.discard(out, 5)
    wire.discard(out, 0)
    assert wire.read_exact(out, 3) == b"fgh"
    os.write(into, b"abc")
    os.close(into)
    with pytest.raises(wire.StreamError):
        wire.discard(out, 4)
    os.close(out)


def test_the_bfolder_empties_deep_locked_and_linked_folders(tmp_path: Path):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("x")
    (folder / "link").symlink_to(outside)
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    (folder / "file").write_text("x")
    (folder / "locked" / "inner").mkdir(parents=True)
    (folder / "locked" / "inner" / "file").write_text("x")
    (folder / "locked" / "inner").chmod(0)
    (folder / "locked").chmod(0)
    _dig(folder, 3000)
    (folder / os.fsdecode(b"\xff\n name")).write_text("x")
    empty_folder(str(folder))
    assert list(folder.iterdir()) == []
    assert (outside / "kept").read_text() == "x"


def _dig(top: Path, depth: int) -> None:
    """A chain of folders longer than any path may be."""
    here = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deeper", dir_fd=here)
        below = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


@pytest.mark.parametrize(
    ("source", "pure"),
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
def test_pure_tests(source: str, pure: bool):
    assert is_pure(compile(source, "x", "exec")) is pure
