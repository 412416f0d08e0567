"""Logs: that of `qprobe -v`, which also holds what the libraries beneath report, and that of an internal error."""

import logging
import sys
import tempfile
import traceback
from datetime import datetime
from pathlib import Path

from harness.secrets import redacted

log = logging.getLogger("qprobe")


class _WithoutSecrets(logging.Formatter):
    """Writes records, and the tracebacks in them, without secrets: libraries log what they send and receive."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def open_log(folder: Path = Path()) -> Path:
    """Log to a new file in the folder from now on, and return its path. Raises OSError where it cannot be written."""
    path = folder / f"qprobe-{datetime.now():%Y%m%d-%H%M%S}.log"
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_WithoutSecrets("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for line in _call():
        log.info("%s", line)
    return path


def log_internal_error(error: Exception) -> str:
    """Write an error's traceback to the log of `-v`, or else to a new file, and return the file's path."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            log.critical("Internal error.", exc_info=error)
            return handler.baseFilename
    with tempfile.NamedTemporaryFile("w", prefix="qprobe-", suffix=".log", delete=False) as file:
        print(
            redacted("".join([*traceback.format_exception(error), *(f"{line}\n" for line in _call())])),
            end="",
            file=file,
        )
    return file.name


def _call() -> tuple[str, str]:
    """Return the command, and the versions of qprobe and the packages beneath it."""
    from harness.runs.provenance import versions

    return " ".join(sys.argv), ", ".join(f"{name} {version}" for name, version in versions().items())
