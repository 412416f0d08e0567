"""Rows that a language model is trained on, and their batches as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One completion of a training problem."""

    problem_id: str
    ids: tuple[int, ...]  # tokens of the prompt and the completion
    start: int  # position of the completion's first token
    reward: float = 1.0  # 1 for a program that passes


@dataclass(frozen=True, slots=True)
class PaddedRows:
    """Rows as tensors [rows, tokens], padded on the right."""

    ids_NT: Tensor
    mask_NT: Tensor  # 1 at tokens of a row
    completion_NT: Tensor  # True at the tokens of its completion

    @classmethod
    def of(cls, rows: Sequence[TrainingRow], device: torch.device | str) -> "PaddedRows":
        """Return the rows on a device."""
        longest = max(len(row.ids) for row in rows)
        ids_NT = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rows], device=device)
        positions = torch.arange(longest, device=device)
        lengths, starts = (
            torch.tensor(values, device=device)[:, None]
            for values in ([len(row.ids) for row in rows], [row.start for row in rows])
        )
        is_own = positions < lengths
        return cls(ids_NT, is_own.long(), is_own & (positions >= starts))
