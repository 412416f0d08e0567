"""A run's folder may come from anyone: what is in it is checked before it is used, with one sentence for each fault."""

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import QprobeError

ADDED = {"language", "base_tests", "mode", "timeout", "call_timeout"}
"""Columns of the problems that a run of an earlier version may lack."""

MAX_WIDTH = 2**20
"""The most numbers of a vector, and the most views: more than any model has."""

_SHARD = re.compile(r"[0-9a-f]{12}")
_TEXT, _COUNT, _NUMBER = (str,), (int, type(None)), (float, type(None))
COMPLETION = (_TEXT, (int,), *(_TEXT,) * 4, _COUNT, _NUMBER, _COUNT, (bytes, type(None)), _NUMBER, _NUMBER)
"""The types of a completion's values: its columns, its tokens, its certainties."""
VERDICT = (_TEXT, (int,), _TEXT, _TEXT, (float,), (float,), _TEXT)
"""The types of a verdict's values."""


def check_folder(folder: Path) -> None:
    """Raise QprobeError where a run's folder holds a link, which would lead elsewhere, or a pipe or a device."""
    for inner in (folder, folder / "probes"):
        if not inner.is_dir():
            continue
        with os.scandir(inner) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise QprobeError(f"{entry.path} is a link: put the file itself there, or remove the link.")
                if not (entry.is_file() or entry.is_dir()):
                    raise QprobeError(f"{entry.path} is neither a file nor a folder: remove it.")


def check_database(database: sqlite3.Connection, path: Path, schema: str) -> None:
    """Raise QprobeError for a database with views, triggers or tables that qprobe did not make."""
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    expected = _columns(schema)
    for kind, name, text in database.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
        if kind in ("view", "trigger") or str(text).upper().startswith("CREATE VIRTUAL"):
            raise _foreign(path, f"a {kind} {name!r}")
        if kind == "table" and name in expected and not _fits(database, name, expected[name]):
            raise _foreign(path, f"a table {name!r} with other columns")


def _fits(database: sqlite3.Connection, table: str, expected: Sequence[str]) -> bool:
    present = [row[1] for row in database.execute(f"PRAGMA table_xinfo({table})")]
    if table == "problems":
        return set(expected) - ADDED <= set(present) <= {*expected, *ADDED}
    return present == list(expected)


@cache
def _columns(schema: str) -> Mapping[str, Sequence[str]]:
    database = sqlite3.connect(":memory:")
    database.executescript(schema)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {name: [row[1] for row in database.execute(f"PRAGMA table_xinfo({name})")] for name in names}
    database.close()
    return columns


def _foreign(path: Path, what: str) -> QprobeError:
    return QprobeError(f"{path} holds {what}, which qprobe did not make: use another run folder.")


def damage(error: sqlite3.Error) -> str:
    """Return what is wrong with a damaged database; "" for any other error."""
    damaged = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in damaged or "decode to UTF-8" in str(error):
        return str(error)
    return ""


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise QprobeError where a block meets damage, or values that qprobe cannot have written."""
    try:
        yield
    except sqlite3.Error as error:
        if not (reason := damage(error)):
            raise
        raise QprobeError(
            f"{path} is damaged ({reason}): put a copy in its place, or use another run folder."
        ) from error
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        raise QprobeError(
            f"{path} holds values that qprobe did not write ({reason}): use another run folder."
        ) from error


def checked(row: tuple[Any, ...], kinds: Sequence[tuple[type, ...]]) -> tuple[Any, ...]:
    """Return a row of the database. Raises TypeError where a value has another type: SQLite's columns take any."""
    for value, allowed in zip(row, kinds, strict=True):
        if type(value) not in allowed:
            raise TypeError(f"a {type(value).__name__} where a {allowed[0].__name__} belongs")
    return row


def check_shard(key: str, about: Mapping[str, Any]) -> None:
    """Raise ValueError for a shard of vectors whose name or shape is none of qprobe's."""
    if not _SHARD.fullmatch(key):
        raise ValueError(f"vectors are named {key!r}")
    width, views = about["width"], len(about["views"])
    if type(width) is not int or not 0 < width <= MAX_WIDTH or not 0 < views <= MAX_WIDTH:
        raise ValueError(f"vectors have {views} views of width {width!r}")
