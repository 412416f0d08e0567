"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import QprobeError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a name to write to; it becomes `path` when the block ends well. Raises QprobeError where it cannot."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise QprobeError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)
