"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE

from harness.errors import QprobeError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a name to write to; it becomes `path` when the block succeeds. Raises QprobeError where that fails.

    The file gets the mode of the umask, whatever mode its writer chose: safetensors writes files that their owner alone
    can read.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch()
        mode = S_IMODE(draft.stat().st_mode)
        yield draft
        draft.chmod(mode)
        draft.replace(path)
    except OSError as error:
        raise QprobeError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)
