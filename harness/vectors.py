"""Vectors on disk: one file of fixed-size rows a view, read memory-mapped.

A row is written first and becomes real when its number is committed to the store, so that a killed command leaves at
most rows that nobody points to; the next command writes over them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Rows of `shape` = (layers, poolings, width), float32, little-endian, nothing else in the file."""

    path: Path
    shape: tuple[int, int, int]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return 4 * int(np.prod(self.shape))

    def write(self, first_row: int, rows: Sequence[Floats] | Floats) -> None:
        """Write rows from `first_row` on, over whatever an interrupted command left there."""
        block = np.ascontiguousarray(np.stack(list(rows)), dtype="<f4")
        if block.shape[1:] != self.shape:
            raise ValueError(f"rows of shape {block.shape[1:]} in a file of {self.shape}")
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.seek(first_row * self.row_bytes)
            file.write(block.tobytes())

    def read(self) -> Floats:
        """All rows, memory-mapped read-only: [rows, layers, poolings, width]."""
        rows = self.path.stat().st_size // self.row_bytes
        return np.memmap(self.path, dtype="<f4", mode="r", shape=(rows, *self.shape))
