"""Data files: integers of any length, halves of characters, home folders, and limits of the reader."""

import gzip
import json
import os
import resource
import sys
import threading
import zlib
from pathlib import Path

import pytest

from benchmarks import BenchmarkError
from benchmarks.data_files import (
    ReaderLimitError,
    dump_json,
    parse_json,
    parse_row,
    read_text,
    unpack_zlib,
    user_path,
    well_formed,
)
from benchmarks.doctor.static_checks import read_checks
from benchmarks.hub import cache_folder, rows_digest
from benchmarks.python_source import compiles, literal, with_hex_integers
from benchmarks.registry import open_benchmark
from sandbox import Limits, Status, open_sandbox

LONG = 10**5000
DIGITS = "1" + "0" * 5000


def test_integers_of_any_length_are_read_and_written():
    limit = sys.get_int_max_str_digits()
    assert parse_row(f'{{"a": [-{DIGITS}]}}') == {"a": [-LONG]}
    assert dump_json({"a": LONG}) == f'{{"a": {DIGITS}}}'
    assert len(rows_digest([{"a": LONG}])) == 64
    assert sys.get_int_max_str_digits() == limit, "the limit of the process is untouched"


@pytest.mark.parametrize("value", [3, -3, True, None, 1.5, "it's", [1, [LONG]], {"a": [-LONG], "b": {}}, [], 10**4299])
def test_a_literal_compiles_to_its_value(value: object):
    source = literal(value)
    assert compiles(source)
    assert eval(source) == value


def test_short_values_are_written_as_python_does():
    value = [1, "a", {"b": [None, -2.5, True]}]
    assert literal(value) == repr(value)


def test_long_decimal_literals_become_hexadecimal():
    source = f'A = -{DIGITS}  # {DIGITS}\nB = "{DIGITS}"\nC = [1, {DIGITS[:2]}_{DIGITS[2:]}, {DIGITS}]\n'
    names: dict[str, object] = {}
    exec(with_hex_integers(source), names)
    assert (names["A"], names["B"], names["C"]) == (-LONG, DIGITS, [1, LONG, LONG])
    assert with_hex_integers("x = 1000\n") == "x = 1000\n"
    assert with_hex_integers(f"x = ({DIGITS}") == f"x = ({DIGITS}"


def test_a_files_tests_may_hold_them(tmp_path: Path):
    row = {"id": "a", "prompt": "def power(n):\n", "entry_point": "power", "tests": f"assert power(5000) == {DIGITS}"}
    (tmp_path / "p.jsonl").write_text(json.dumps({**row, "solution": "def power(n):\n    return 10 ** n\n"}))
    (problem,) = open_benchmark(str(tmp_path / "p.jsonl")).problems()
    assert not [check.name for check in read_checks([problem]) if check.fails]
    with open_sandbox("process", workers=1) as sandbox:
        for program, status in ((problem.solution, Status.PASSED), ("def power(n):\n    return n\n", Status.FAILED)):
            ((_, outcome),) = sandbox.run([problem.job(program, Limits())])
            assert outcome.status is status, outcome


def test_json_that_is_nested_too_deeply_is_a_limit():
    with pytest.raises(ReaderLimitError, match="nested too deeply"):
        parse_json("[" * 100_000)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("plain", "plain"),
        ("a\ud83d", "a\ufffd"),
        ("\ude00b", "\ufffdb"),
        ("a\ud83d\ude00b", "a😀b"),
        ("\ud83d\ud83d\ude00", "\ufffd😀"),
        ("\udce9", "\ufffd"),
        ("é😀\x00", "é😀\x00"),
    ],
)
def test_halves_of_characters(text: str, whole: str):
    assert well_formed(text) == whole
    assert well_formed(text).encode()


def test_bytes_that_are_no_text(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"caf\xc3\n")
    with pytest.raises(BenchmarkError, match="not UTF-8 text"):
        read_text(tmp_path / "a")
    assert read_text(tmp_path / "a", errors="replace") == "caf\ufffd\n"
    (tmp_path / "b").write_bytes("café".encode("utf-16"))
    with pytest.raises(BenchmarkError, match="not UTF-8 text"):
        read_text(tmp_path / "b", errors="replace")


def test_home_folders_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    row = {"id": "a", "prompt": "def f():\n", "entry_point": "f", "tests": "assert f() == 1"}
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    (tmp_path / "odd").write_text("")
    assert len(open_benchmark("~/p.jsonl").problems()) == 1
    assert user_path("~/p.jsonl") == tmp_path / "p.jsonl"
    with pytest.raises(BenchmarkError, match="no such file"):
        open_benchmark("~/absent.toml")
    with pytest.raises(BenchmarkError, match="no such file"):
        open_benchmark("~/absent.py:NAME")
    with pytest.raises(BenchmarkError, match="no such file"):
        open_benchmark("apps:~/absent.jsonl").problems()
    monkeypatch.setenv("QPROBE_CACHE", "~/copies")
    assert cache_folder() == tmp_path / "copies"


def test_without_a_home_folder_a_cache_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """As for a user id that /etc/passwd does not know."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("QPROBE_CACHE", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_242_424)
    with pytest.raises(BenchmarkError, match="set QPROBE_CACHE"):
        cache_folder()
    with pytest.raises(BenchmarkError, match="set HOME"):
        user_path("~/x")
    monkeypatch.setenv("QPROBE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """A limit of two MiB."""
    monkeypatch.setattr("benchmarks.data_files.MAX_UNPACKED", 2**21)
    return 2**21


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, few: int):
    (tmp_path / "whole.gz").write_bytes(gzip.compress(b"\n" * few))
    assert len(read_text(tmp_path / "whole.gz")) == few
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\0" * 2**30, 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BenchmarkError, match=r"bomb.gz unpacks to more than 2 MiB: unpack it yourself if you trust it"):
        read_text(tmp_path / "bomb.gz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "in KiB"
    (tmp_path / "plain").write_bytes(b"\n" * (few + 1))
    assert len(read_text(tmp_path / "plain")) == few + 1, "a file that is as long as it says"


def test_a_gzip_file_of_several_members_is_read_whole(tmp_path: Path):
    (tmp_path / "two.gz").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert read_text(tmp_path / "two.gz") == "a\nb\n"
    for torn in (gzip.compress(b"text" * 99)[:-9], gzip.compress(b"text")[:5], gzip.compress(b"a") + b"more"):
        (tmp_path / "torn.gz").write_bytes(torn)
        with pytest.raises(BenchmarkError, match="not UTF-8 text, nor a whole gzip file"):
            read_text(tmp_path / "torn.gz")


def test_a_device_without_an_end_is_refused(few: int):
    with pytest.raises(BenchmarkError, match="/dev/zero is no file, and holds more than 2 MiB"):
        read_text(Path("/dev/zero"))


def test_a_pipe_is_read(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(gzip.compress(b"text"),), daemon=True).start()
    assert read_text(tmp_path / "pipe") == "text"


def test_a_zlib_stream_is_unpacked_up_to_its_limit():
    assert unpack_zlib(zlib.compress(b"a" * 100), 100) == b"a" * 100
    with pytest.raises(ReaderLimitError, match="unpacks to more than 0 MiB"):
        unpack_zlib(zlib.compress(b"a" * 10**6), 100)
    for torn in (zlib.compress(b"text")[:-3], b"", b"text"):
        with pytest.raises(ValueError, match=r"end early|Error -3"):
            unpack_zlib(torn, 100)
