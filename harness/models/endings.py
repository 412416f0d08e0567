"""When a sequence ends: at an end token or at a stop string of its own, whatever the others in its batch do."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria
from transformers.generation.stopping_criteria import StopStringCriteria


class Endings(StoppingCriteria):
    """Tells transformers which rows have ended, and remembers after how many new tokens each did."""

    def __init__(self, tokenizer: Any, end_tokens: Sequence[int], stops: Sequence[tuple[str, ...]]) -> None:  # noqa: ANN401
        """`stops` holds each row's stop strings."""
        self._end_tokens = torch.tensor(end_tokens)
        kinds = sorted({stop for stop in stops if stop})
        self._found = [StopStringCriteria(tokenizer, list(kind)) for kind in kinds]
        self._uses = [torch.tensor([stop == kind for stop in stops]) for kind in kinds]
        self._lengths = torch.zeros(len(stops), dtype=torch.long)  # 0 while a row goes on
        self._steps = 0

    def __call__(self, input_ids: Tensor, scores: Any, **_: object) -> Tensor:  # noqa: ANN401 - their signature
        """Which rows have ended, [rows]; called once after every new token."""
        self._steps += 1
        now = torch.isin(input_ids[:, -1].cpu(), self._end_tokens)
        for found, uses in zip(self._found, self._uses, strict=True):
            now |= found(input_ids, scores).cpu() & uses
        self._lengths[now & (self._lengths == 0)] = self._steps
        return (self._lengths > 0).to(input_ids.device)

    def ended(self, row: int) -> bool:
        """Whether a row reached its end."""
        return bool(self._lengths[row] > 0)

    def length(self, row: int, drawn: int) -> int:
        """A row's number of new tokens, its end included; `drawn` for one that never ended."""
        return int(self._lengths[row]) or drawn
