"""Data sets of the Hugging Face hub: fetched once, cached as JSON lines, and read offline from then on.

The copy is in the folder QPROBE_CACHE, by default `qprobe` in the user's cache folder. Whenever it is read, its rows
are checked against their published sha256, or else against their sha256 when they were fetched.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.data_files import dump_json, numbered_lines, parse_json, parse_row, read_text, user_path
from benchmarks.hub_client import is_out_of_reach
from benchmarks.problem import BenchmarkError

JsonRow = dict[str, Any]
SplitRow = tuple[str, JsonRow]
"""The name of a row's split, and the row."""


def rows_digest(rows: Iterable[JsonRow]) -> str:
    """Return a sha256 over rows that does not depend on their order."""
    return hashlib.sha256("\n".join(sorted(dump_json(row, sort_keys=True) for row in rows)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class HubData:
    """A data set, and the digest by which it is recognised."""

    name: str  # of the benchmark; part of the cached copy's name
    dataset: str  # OWNER/NAME on the hub, or a folder that holds the same files
    config: str | None = None
    revision: str | None = None  # a commit of the data set
    sha256: str = ""  # of its rows; "" where it is not published
    digest: Callable[[Iterable[JsonRow]], str] = rows_digest
    otherwise: str = "use another benchmark"  # the advice to a user without the hub
    command: str = "qprobe benchmarks fetch"  # fetches it by its name

    @property
    def kept(self) -> Path:
        """The path of the cached copy, which need not exist."""
        which = hashlib.sha256(json.dumps([self.dataset, self.config, self.revision]).encode()).hexdigest()[:8]
        return cache_folder() / f"{self.name}-{which}.jsonl"

    @property
    def pin(self) -> Path:
        """The path of the sha256 of the rows when they were fetched, beside the copy."""
        return self.kept.with_suffix(".sha256")

    @property
    def is_local(self) -> bool:
        """Return whether the data set is a local folder, of which no copy is cached."""
        return _is_folder(Path(self.dataset))

    def rows(self) -> list[SplitRow]:
        """The rows: from the cached copy, or else from the hub. Raises BenchmarkError where neither is available."""
        if self.is_local:
            complaint = f"{self.dataset} holds other rows than the published ones."
            return self._checked(self._from_hub(), self.sha256, complaint)
        if not self.kept.exists():
            self.fetch()
        rows = []
        for number, line in numbered_lines(read_text(self.kept)):
            try:
                row = parse_row(line)
                rows.append((row["split"], row["row"]))
            except (ValueError, KeyError) as error:
                raise BenchmarkError(self._damaged(f"line {number}: {error}")) from error
        expected = self.sha256 or (self.pin.read_text() if self.pin.exists() else "")
        return self._checked(rows, expected, self._damaged("its rows are not those that were fetched"))

    def fetch(self) -> Path:
        """Fetch the rows from the hub and cache them. Raises BenchmarkError where that fails."""
        complaint = self._missing("the hub's rows are not the published ones")
        rows = self._checked(self._from_hub(), self.sha256, complaint)
        draft = self.kept.with_name(f".{self.kept.name}.{os.getpid()}")
        try:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text("".join(dump_json({"split": split, "row": row}) + "\n" for split, row in rows))
            self.pin.write_text(self.digest(row for _, row in rows))
            draft.replace(self.kept)
        except OSError as error:
            raise BenchmarkError(f"{self.kept.parent} is not writable ({error}); set QPROBE_CACHE.") from error
        return self.kept

    def _checked(self, rows: list[SplitRow], sha256: str, complaint: str) -> list[SplitRow]:
        if sha256 and self.digest(row for _, row in rows) != sha256:
            raise BenchmarkError(complaint)
        return rows

    def _from_hub(self) -> list[SplitRow]:
        try:
            from datasets import disable_progress_bars, load_dataset
            from datasets.exceptions import DatasetsError
            from huggingface_hub import constants
        except ImportError as error:
            raise BenchmarkError(
                self._missing("the package datasets is not installed; run pip install datasets")
            ) from error
        if not self.is_local and is_out_of_reach():
            raise BenchmarkError(self._missing(f"{constants.ENDPOINT} does not answer"))
        if not sys.stderr.isatty():
            disable_progress_bars()
        try:
            splits = load_dataset(self.dataset, self.config, revision=self.revision)
        except (OSError, ValueError, RuntimeError, DatasetsError) as error:
            raise BenchmarkError(self._refused(error)) from error
        # Through JSON, so that rows from the hub equal those from the cached copy.
        return [(str(name), parse_json(dump_json(row, default=str))) for name, rows in splits.items() for row in rows]

    def _refused(self, error: Exception) -> str:
        """The advice where a data set cannot be loaded, with the reader's reason for a folder or a wrong name."""
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0].rstrip('.')}"
        if self.is_local:
            return f"{self.dataset} cannot be read as a data set of the hub ({reason})."
        return self._missing(f"the hub refused it ({reason})")

    def _missing(self, why: str) -> str:
        return (
            f"{self.name} is not available: {why}, and there is no cached copy in {self.kept.parent}. Connect once and "
            f"run {self.command} {self.name}, or {self.otherwise}."
        )

    def _damaged(self, why: str) -> str:
        return f"{self.kept} is damaged ({why}); remove it and run {self.command} again."


def cache_folder() -> Path:
    """Return the folder of cached copies. Raises BenchmarkError where no variable names it and the home is unknown."""
    if folder := os.environ.get("QPROBE_CACHE"):
        return user_path(folder)
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return user_path(folder) / "qprobe"
    try:
        return Path.home() / ".cache" / "qprobe"
    except RuntimeError as error:
        raise BenchmarkError("The home folder is unknown; set QPROBE_CACHE to a folder for cached data.") from error


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # in a folder that the user may not read
        return False
