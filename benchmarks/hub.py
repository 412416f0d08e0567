"""Data sets of the Hugging Face hub: fetched once, kept as plain JSON lines, offline ever after.

The copy is kept in QPROBE_CACHE, or in `qprobe` of the user's cache folder. Its rows are checked each
time it is read: against their published sha256 where it is known here, and else against what they were when fetched.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.hub_client import is_out_of_reach
from benchmarks.problem import BenchmarkError
from benchmarks.reading import numbered_lines, parse_row, read_text

JsonRow = dict[str, Any]
SplitRow = tuple[str, JsonRow]
"""The name of a row's split, and the row."""


def rows_digest(rows: Iterable[JsonRow]) -> str:
    """A sha256 over rows, whatever their order."""
    return hashlib.sha256("\n".join(sorted(json.dumps(row, sort_keys=True) for row in rows)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class HubData:
    """A data set, and how to know that it is the right one."""

    name: str  # of the benchmark: names the kept copy
    dataset: str  # OWNER/NAME on the hub, or a folder that holds the same files
    config: str | None = None
    revision: str | None = None  # a commit of the data set
    sha256: str = ""  # of its rows; "" where nobody has written it down
    digest: Callable[[Iterable[JsonRow]], str] = rows_digest
    otherwise: str = "use another benchmark"  # what to do without the hub, besides connecting to it

    @property
    def kept(self) -> Path:
        """The copy on this machine, which need not be there."""
        which = hashlib.sha256(json.dumps([self.dataset, self.config, self.revision]).encode()).hexdigest()[:8]
        return cache_folder() / f"{self.name}-{which}.jsonl"

    @property
    def pin(self) -> Path:
        """Beside the copy: the sha256 of its rows as they were fetched."""
        return self.kept.with_suffix(".sha256")

    @property
    def is_local(self) -> bool:
        """Whether the data set is a folder of this machine, of which no copy is kept."""
        return Path(self.dataset).is_dir()

    def rows(self) -> list[SplitRow]:
        """The rows: from the kept copy, or else from the hub. Raises BenchmarkError where neither can be had."""
        if self.is_local:
            complaint = f"{self.dataset} holds other rows than were published."
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
        known = self.sha256 or (self.pin.read_text() if self.pin.exists() else "")
        return self._checked(rows, known, self._damaged("other rows than were fetched"))

    def fetch(self) -> Path:
        """Get the rows from the hub and keep them. Raises BenchmarkError where the hub does not give them."""
        complaint = self._missing("the hub gave other rows than were published")
        rows = self._checked(self._from_hub(), self.sha256, complaint)
        draft = self.kept.with_name(f".{self.kept.name}.{os.getpid()}")
        try:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text("".join(json.dumps({"split": split, "row": row}) + "\n" for split, row in rows))
            self.pin.write_text(self.digest(row for _, row in rows))
            draft.replace(self.kept)
        except OSError as error:
            raise BenchmarkError(f"{self.kept.parent} cannot be written to: set QPROBE_CACHE ({error}).") from error
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
            raise BenchmarkError(self._missing("the package `datasets` is not installed")) from error
        if not self.is_local and is_out_of_reach():
            raise BenchmarkError(self._missing(f"{constants.ENDPOINT} does not answer"))
        if not sys.stderr.isatty():
            disable_progress_bars()
        try:
            splits = load_dataset(self.dataset, self.config, revision=self.revision)
        except (OSError, ValueError, RuntimeError, DatasetsError) as error:
            raise BenchmarkError(self._refused(error)) from error
        # Through JSON, so that rows are the same whether they come from the hub or from the kept copy.
        return [(str(name), json.loads(json.dumps(row, default=str))) for name, rows in splits.items() for row in rows]

    def _refused(self, error: Exception) -> str:
        """What to do where a data set is not given: for a folder or a wrong name, its reader says what is wrong."""
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0].rstrip('.')}"
        if self.is_local:
            return f"{self.dataset} cannot be read as a data set of the hub ({reason})."
        return self._missing(f"the hub did not give it ({reason})")

    def _missing(self, why: str) -> str:
        return (
            f"{self.name} cannot be had: {why}, and this machine keeps no copy. Connect once and run qprobe benchmarks "
            f"fetch (the hub's client comes with pip install 'qprobe[hub]'), or {self.otherwise}."
        )

    def _damaged(self, why: str) -> str:
        return f"{self.kept} is damaged ({why}): remove it and run qprobe benchmarks fetch again."


def cache_folder() -> Path:
    """Where copies are kept."""
    ours = os.environ.get("QPROBE_CACHE")
    usual = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(ours) if ours else Path(usual) / "qprobe"
