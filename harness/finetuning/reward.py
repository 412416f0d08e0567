"""A reward model: a scalar head on the last token of a completion, trained by cross-entropy on pass and fail."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from harness.finetuning.rows import TrainingRow
from harness.models.hf.sequence_head import logits_of


class Reward:
    """Every completion weighs the same."""

    task = "SEQ_CLS"
    auto_class = "AutoModelForSequenceClassification"
    row_name = "samples"
    learning_rate = 2e-4
    further_passes = 0

    def tokens(self, row: TrainingRow) -> int:
        """Return the number of tokens of the prompt and the completion."""
        return len(row.ids)

    def weight(self, row: TrainingRow) -> float:
        """Return 1."""
        return 1.0

    def prepared(self, model: Any, rows: Sequence[TrainingRow], most: int) -> Sequence[TrainingRow]:  # noqa: ANN401
        """Return the rows: each loss depends on its row alone."""
        return rows

    def loss_sum(self, model: Any, rows: Sequence[TrainingRow]) -> Tensor:  # noqa: ANN401 - a model of peft
        """Return the summed cross-entropy of sigmoid(score) against the rewards."""
        logits_N = logits_of(model, [row.ids for row in rows])[:, 0]
        rewards_N = torch.tensor([row.reward for row in rows], device=logits_N.device)
        return binary_cross_entropy_with_logits(logits_N, rewards_N, reduction="sum")
