"""`config.toml` in a run's folder: the settings that made the run, as a file that repeats it.

It does not name its folder: a run that was copied or renamed belongs to its new place.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import QprobeError
from harness.runs.atomic import atomic_write
from harness.runs.toml import toml_text
from harness.secrets import redacted

CONFIG_FILE = "config.toml"
MARK = "# The settings of this run."
HEAD = f"{MARK} qprobe run THIS_FILE resumes it; --set folder=NEW repeats it in another folder.\n"


def read_config(run: Path) -> dict[str, Any]:
    """Return the settings kept in a run's folder, by key; empty without a file. Raises QprobeError for a broken one."""
    path = run / CONFIG_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise QprobeError(f"{path} is not TOML: {error}. Correct it, or remove it to have it written again.") from error


def keep_config(run: Path, settings: Mapping[str, Any]) -> None:
    """Write settings into the run's config.toml, over those of an earlier command. Raises QprobeError."""
    kept = {**read_config(run), **settings}
    kept.pop("folder", None)  # earlier versions named it
    with atomic_write(run / CONFIG_FILE) as draft:
        draft.write_text(HEAD + redacted(toml_text(kept)), encoding="utf-8")


def folder_of(path: Path) -> Path | None:
    """Return the run whose settings a file holds; None for a file that a user wrote."""
    if path.name != CONFIG_FILE or not path.is_file():
        return None
    return path.parent if path.read_text(encoding="utf-8", errors="replace").startswith(MARK) else None
