"""Reading data files that other people made, one clear sentence for everything that can be wrong with them."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.problem import BenchmarkError


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark; gzip'ed or not, as its first bytes say and not its name."""
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise BenchmarkError(f"{path}: there is no such file.") from error
    except IsADirectoryError as error:
        raise BenchmarkError(f"{path} is a folder; name a file in it.") from error
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path}: not UTF-8 text, nor a whole gzip file of it ({error}).") from error
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror or error}).") from error


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold anything, numbered from 1.

    Split on the line feed alone: completions hold other separators that `str.splitlines` would cut at.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def parse_row(line: str) -> dict[str, Any]:
    """One JSON object. Raises ValueError with a short reason for anything else."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno}): one object a line is asked for") from error
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(row, dict):
        raise ValueError("not a JSON object: one object a line is asked for")
    return row


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal; of a folder, that of its files' names and digests."""
    if path.is_dir():
        named = [f"{file.relative_to(path)} {sha256(file)}\n" for file in sorted(path.rglob("*")) if file.is_file()]
        return hashlib.sha256("".join(named).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
