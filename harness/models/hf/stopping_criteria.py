"""The stopping criterion of transformers' `generate` that ends each row at an end token or its own stop string."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import StoppingCriteria

from harness.models.stop_strings import StopFinder


class RowStops(StoppingCriteria):
    """Keeps the number of new tokens after which each row ended."""

    def __init__(self, end_tokens: Sequence[int], finders: Sequence[StopFinder], prompt_tokens: int) -> None:
        self._end_tokens, self._finders, self._start = frozenset(end_tokens), finders, prompt_tokens
        self._lengths = [0] * len(finders)  # 0 until the row has ended

    def __call__(self, input_ids: Tensor, scores: object, **_: object) -> Tensor:
        """Return which rows have ended, [rows]; called once after every new token."""
        for row, ids in enumerate(input_ids[:, self._start :].tolist()):
            if not self._lengths[row] and (ids[-1] in self._end_tokens or self._finders[row].found(ids)):
                self._lengths[row] = len(ids)
        return torch.tensor(self._lengths, device=input_ids.device) > 0

    def ended(self, row: int) -> bool:
        """Return whether a row has ended."""
        return self._lengths[row] > 0

    def length(self, row: int, drawn: int) -> int:
        """Return a row's number of new tokens, its end included; `drawn` for one that has not ended."""
        return self._lengths[row] or drawn
