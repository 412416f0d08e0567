"""`qprobe -v`: everything that qprobe and the libraries under it have to say, in a file."""

import logging
import sys
from datetime import datetime
from pathlib import Path

log = logging.getLogger("qprobe")


def open_log(folder: Path = Path()) -> Path:
    """Log to a new file in the folder from now on, and return its path. Raises OSError where it cannot be written."""
    path = folder / f"qprobe-{datetime.now():%Y%m%d-%H%M%S}.log"
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    log.info("%s", " ".join(sys.argv))
    return path
