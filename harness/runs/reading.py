"""Opening a run's database: for writing, for reading while another command writes, and on a read-only disk."""

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from harness.errors import QprobeError
from harness.runs.untrusted import check_database, readable

_PATIENCE_SECONDS = 0.3
"""The time to wait for a lock: `is_held` takes it for a moment."""

_MAKING_SECONDS = 2.0
"""The time to wait for the tables of a run that another command has just begun."""


def is_read_only(folder: Path) -> bool:
    """Return True where the run is on a read-only disk, or belongs to a user who lets others read it alone."""
    return not os.access(folder, os.W_OK) or not os.access(folder / "run.sqlite", os.W_OK)


def is_held(folder: Path) -> bool:
    """Return True while a command that writes is at work in the folder."""
    try:
        lock = os.open(folder / ".lock", os.O_RDONLY)
    except OSError:  # no command has ever written here, or not by this user's permission
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def lock_now(descriptor: int, kind: int) -> None:
    """Take a lock on a file. Raises OSError where another process keeps it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        time.sleep(_PATIENCE_SECONDS / 10)
    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)


def hold(path: Path) -> int:
    """Take the run's lock; the kernel gives it back when this process ends, however it ends."""
    lock = _hold(path)
    while not _is_there(path, lock):  # its holder has removed it
        os.close(lock)
        lock = _hold(path)
    return lock


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _hold(path: Path) -> int:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise QprobeError(f"The run folder {path.parent} cannot be written to: {error.strerror}.") from error
    try:
        lock_now(lock, fcntl.LOCK_EX)
    except OSError as error:
        os.close(lock)
        raise QprobeError(f"Another qprobe command is at work in {path.parent}; wait for it to end.") from error
    return lock


def open_writable(path: Path, schema: str) -> sqlite3.Connection:
    """Open a database for writing, or make it. Raises QprobeError where it is none of a run, or damaged.

    Tables and columns that one of an earlier version lacks are added.
    """
    # The sandbox's threads draw jobs from `ungraded`; SQLite itself serialises them.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with readable(path):
        check_database(database, path, schema)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(schema)
        _add_missing_columns(database)
    return database


def _add_missing_columns(database: sqlite3.Connection) -> None:
    columns = {name for _, name, *_ in database.execute("PRAGMA table_info(problems)")}
    texts = dict.fromkeys(("language", "base_tests", "mode"), "TEXT NOT NULL DEFAULT ''")
    numbers = dict.fromkeys(("timeout", "call_timeout"), "REAL NOT NULL DEFAULT 0")
    for name, kind in {**texts, **numbers}.items():
        if name not in columns:
            database.execute(f"ALTER TABLE problems ADD COLUMN {name} {kind}")


def open_read_only(path: Path, schema: str) -> sqlite3.Connection:
    """Open a database for reading, at its present state. Raises QprobeError where it cannot be read.

    Tables of `schema` that a database of an earlier version lacks are there, and empty.
    """
    deadline = time.monotonic() + _MAKING_SECONDS
    while (database := _opened(path, schema)) is None:
        if not is_held(path.parent) or time.monotonic() > deadline:
            raise QprobeError(f"{path} cannot be read as the database of a run.")
        time.sleep(_MAKING_SECONDS / 100)
    return database


def _opened(path: Path, schema: str) -> sqlite3.Connection | None:
    """Return a connection for reading; None where the file is no database of a run, or not yet."""
    ways = (_connect, _connect_on_read_only_disk) if is_read_only(path.parent) else (_connect_beside_writers,)
    for connect in ways:
        with ExitStack() as undo:
            try:
                undo.callback((database := connect(path)).close)
                with readable(path):
                    check_database(database, path, schema)
                _add_missing_tables(database, schema)
                database.execute("PRAGMA query_only = ON")
                database.execute("BEGIN")
                database.execute("SELECT 1 FROM settings LIMIT 1").fetchone()
            except (sqlite3.DatabaseError, UnicodeDecodeError):  # the latter of a message about a damaged schema
                continue
            undo.pop_all()
            return database
    return None


def _connect_beside_writers(path: Path) -> sqlite3.Connection:
    """Connect so that closing leaves no files: SQLite's index beside the database is made, and removed by the last."""
    return _connect(path, "mode=rw")


def _connect(path: Path, option: str = "mode=ro") -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{option}"
    database = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    database.execute("SELECT 1 FROM sqlite_master").fetchone()
    return database


def _connect_on_read_only_disk(path: Path) -> sqlite3.Connection:
    """Connect where SQLite cannot make its index.

    Rows that a killed command left in the log beside the database are read from a copy in memory.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or not log.stat().st_size:
        return _connect(path, "immutable=1")
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    with tempfile.TemporaryDirectory(prefix="qprobe-read-") as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        with closing(sqlite3.connect(Path(folder) / path.name)) as copy:
            copy.backup(database)
    return database


def _add_missing_tables(database: sqlite3.Connection, schema: str) -> None:
    present = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for statement in filter(str.strip, schema.split(";")):
        name = statement.partition("EXISTS ")[2].split()[0]
        if present and name not in present:
            database.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE"))
