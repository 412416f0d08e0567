"""Hidden states of a completion, as a model that writes it can keep them: enough for its vectors, and no more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.models.engine import View
from harness.models.vectors import Vectors

CAPTURED_POOLINGS = frozenset({"last", "mean", "prompt"})
"""The poolings that need no state of the last token drawn, which a model that stops there never reads."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CompletionStates:
    """The states of a prompt's last token, of a completion's last tokens, and the sum over all its tokens.

    `known` tokens of the completion were read; the states of the last R of them are kept.
    """

    layers: tuple[int, ...]  # L
    prompt_LD: Floats
    recent_RLD: Floats  # in the order of the tokens
    sum_LD: Floats
    known: int

    def vectors(self, views: Sequence[View], end: int) -> Vectors | None:
        """Return the vectors [views, width] of the completion's first `end` tokens; None where they are not known.

        They are those of `harness.models.hf.pooling.pool`: an empty completion counts as the prompt's last token.
        """
        if not self._reaches(end) or not CAPTURED_POOLINGS.issuperset(view.pooling for view in views):
            return None
        by_pooling = {"last": self.prompt_LD, "mean": self.prompt_LD, "prompt": self.prompt_LD}
        if end:
            place = len(self.recent_RLD) - (self.known - end)  # of the first token after the end
            after_LD = self.recent_RLD[place:].sum(0)
            by_pooling |= {"last": self.recent_RLD[place - 1], "mean": (self.sum_LD - after_LD) / end}
        rows = [by_pooling[view.pooling][self.layers.index(view.layer)] for view in views]
        return np.stack(rows).astype(np.float32)

    def _reaches(self, end: int) -> bool:
        return end == 0 or 0 <= self.known - end < len(self.recent_RLD)
