"""Rows that a language model is trained on, and their batches as tensors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One completion of a training problem."""

    problem_id: str
    ids: tuple[int, ...]  # tokens of the prompt and the completion
    start: int  # position of the completion's first token
    reward: float = 1.0  # 1 for a program that passes


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two completions of a training problem, one of which is preferred."""

    problem_id: str
    chosen: TrainingRow
    rejected: TrainingRow
    reference: float = 0.0  # log p(chosen) - log p(rejected) by the model without its adapter


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """A completion that is wanted (reward 1) or not (0), and the two numbers that its loss is relative to."""

    completion: TrainingRow
    reference: float = 0.0  # log p(completion) by the model without its adapter
    divergence: float = 0.0  # of the adapted model from the model, by the rows of a step

    @property
    def problem_id(self) -> str:
        """The training problem."""
        return self.completion.problem_id


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


def parts_of(rows: Sequence[Row], tokens: Callable[[Row], int], most: int) -> Iterator[list[Row]]:
    """Yield the rows by length, together up to `most` padded tokens; a longer row comes alone."""
    part: list[Row] = []
    for row in sorted(rows, key=tokens):
        if part and (len(part) + 1) * tokens(row) > most:
            yield part
            part = []
        part.append(row)
    if part:
        yield part
