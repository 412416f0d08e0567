"""Vectors on disk: files of fixed-size rows, read memory-mapped.

A row is written first and becomes real when its number is committed to the store, so that a killed command leaves at
most rows that nothing refers to; the next command writes over them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.errors import QprobeError
from harness.models.vectors import Vectors

Precision = Literal["float32", "float16"]
SUFFIX: dict[Precision, str] = {"float32": "f32", "float16": "f16"}


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Rows of `shape` = (views, width), little-endian, nothing else in the file."""

    path: Path
    shape: tuple[int, int]
    precision: Precision = "float32"

    @property
    def _dtype(self) -> "np.dtype[Any]":
        return np.dtype(self.precision).newbyteorder("<")

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self._dtype.itemsize * int(np.prod(self.shape))

    def write(self, first_row: int, rows: Vectors) -> None:
        """Write rows [N, views, width] from `first_row` on, over whatever an interrupted command left there.

        Raises QprobeError for a number that this precision cannot hold.
        """
        if rows.shape[1:] != self.shape:
            raise ValueError(f"rows of shape {rows.shape[1:]} in a file of {self.shape}")
        with np.errstate(over="ignore"):
            block = np.ascontiguousarray(rows, dtype=self._dtype)
        if not bool((np.isfinite(block) | ~np.isfinite(rows)).all()):
            raise QprobeError("A vector holds numbers beyond float16's 65504: embed with --precision float32.")
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.seek(first_row * self.row_bytes)
            file.write(block.tobytes())

    def read(self, first_row: int = 0, last_row: int = -1) -> NDArray[Any]:
        """All rows, memory-mapped read-only: [rows, views, width].

        Raises QprobeError for a file without the rows that will be used, from `first_row` to `last_row`.
        """
        rows = self.path.stat().st_size // self.row_bytes if self.path.is_file() else 0
        if first_row < 0 or last_row >= rows:
            raise QprobeError(
                f"{self.path} holds {rows:,} rows and not those that the run refers to: "
                "put a whole copy in its place, or embed in another run folder."
            )
        if not rows:
            return np.empty((0, *self.shape), dtype=self._dtype)
        return np.memmap(self.path, dtype=self._dtype, mode="r", shape=(rows, *self.shape))
