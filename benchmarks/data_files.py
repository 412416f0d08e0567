"""Read data files, with one clear sentence for everything that can be wrong with them."""

import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from benchmarks.problem import BenchmarkError

MAX_UNPACKED = 2**31
"""The most bytes that are unpacked from a compressed file, or read from a pipe or a device: a kilobyte can hold a
megabyte of zeros, and a device has no end."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_PIECE = 2**20


class ReaderLimitError(ValueError):
    """A row is beyond what can be read or kept here, though nothing need be wrong with it."""


def user_path(name: str | Path) -> Path:
    """Return the path that a user names, with `~` for the home folder. Raises BenchmarkError where that is unknown."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise BenchmarkError(f"{name}: the home folder is unknown; set HOME, or give the whole path.") from error


def read_text(path: Path, *, errors: str = "strict") -> str:
    """Return the text of a UTF-8 file, without a byte order mark; gzip'ed or not, as its first bytes say.

    With `errors="replace"`, bytes that are not UTF-8 become U+FFFD.
    """
    try:
        raw = _read_bytes(user_path(path))
        return raw.decode("utf-8-sig", "strict" if raw[:2] in _UTF_16 else errors)
    except FileNotFoundError as error:
        raise BenchmarkError(f"{path}: no such file.") from error
    except IsADirectoryError as error:
        raise BenchmarkError(f"{path} is a folder; name a file in it.") from error
    except (gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path}: not UTF-8 text, nor a whole gzip file of it ({error}).") from error
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _read_bytes(path: Path) -> bytes:
    """Return a file's bytes, unpacked where they are gzip'ed. Raises BenchmarkError where they are too many."""
    with path.open("rb") as file:
        if file.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as packed:
                return _read_up_to(cast(BinaryIO, packed), f"{path} unpacks to", "unpack it yourself if you trust it")
        if path.is_file():
            return file.read()
        return _read_up_to(file, f"{path} is no file, and holds", "name a file")


def _read_up_to(file: BinaryIO, what: str, advice: str) -> bytes:
    content = bytearray()
    while piece := file.read(_PIECE):
        content += piece
        if len(content) > MAX_UNPACKED:
            raise BenchmarkError(f"{what} more than {MAX_UNPACKED // 2**20:,} MiB: {advice}.")
    return bytes(content)


def unpack_zlib(packed: bytes, limit: int) -> bytes:
    """Return the bytes of a zlib stream. Raises ValueError; ReaderLimitError where they are more than `limit`."""
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(unpacked) > limit:
        raise ReaderLimitError(f"it unpacks to more than {limit // 2**20:,} MiB")
    if not stream.eof:
        raise ValueError("the compressed data end early")
    return unpacked


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty, numbered from 1.

    Split on the line feed alone: completions hold other separators that `str.splitlines` would cut at.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


@contextmanager
def long_integers() -> Iterator[None]:
    """Read and write integers of any length within the block: Python refuses those of more than 4,300 digits."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(limit)


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - JSON's own types
    """Return the value of a JSON text. Raises ValueError; ReaderLimitError where it is nested too deeply."""
    try:
        with long_integers():
            return json.loads(text)
    except RecursionError as error:
        raise ReaderLimitError("JSON nested too deeply") from error


def dump_json(value: object, **options: Any) -> str:  # noqa: ANN401 - the options of json.dumps
    """Return a value as JSON text, integers of any length included."""
    with long_integers():
        return json.dumps(value, **options)


def parse_row(line: str) -> dict[str, Any]:
    """Return one JSON object. Raises ValueError with a short reason for anything else."""
    try:
        row = parse_json(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno}); write one object per line") from error
    if not isinstance(row, dict):
        raise ValueError("not a JSON object; write one object per line")
    return row


def well_formed(text: str) -> str:
    """Return a text without halves of characters: pairs of surrogates are joined, single ones become U+FFFD.

    JSON can express half of a character, as servers do that cut a completion within an emoji; files, databases and
    Python sources cannot. Tokenizers write U+FFFD for the same.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def check_well_formed(name: str, text: str) -> None:
    """Raise ReaderLimitError where a field's text holds half a character, which can be neither stored nor run."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):X}"
        raise ReaderLimitError(f"the field {name!r} holds half a character ({half})") from error


def sha256_of_all(files: Iterable[Path]) -> str:
    """Return the sha256 of the bytes of some files, one after the other, in hexadecimal."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal; of a folder, that of its files' names and digests."""
    if path.is_dir():
        named = [f"{file.relative_to(path)} {sha256(file)}\n" for file in sorted(path.rglob("*")) if file.is_file()]
        return hashlib.sha256("".join(named).encode("utf-8", "surrogateescape")).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
