"""Supervised fine-tuning: the mean negative log-likelihood of the tokens of completions that pass."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from harness.finetuning.likelihood import log_probabilities
from harness.finetuning.rows import TrainingRow


class Sft:
    """Every token of a completion weighs the same; the prompt is read, and not learnt."""

    task = "CAUSAL_LM"
    auto_class = "AutoModelForCausalLM"
    row_name = "samples"
    learning_rate = 2e-4
    further_passes = 0

    def tokens(self, row: TrainingRow) -> int:
        """Return the number of tokens of the prompt and the completion."""
        return len(row.ids)

    def weight(self, row: TrainingRow) -> float:
        """Return the number of tokens of the completion."""
        return len(row.ids) - row.start

    def prepared(self, model: Any, rows: Sequence[TrainingRow], most: int) -> Sequence[TrainingRow]:  # noqa: ANN401
        """Return the rows: each loss depends on its row alone."""
        return rows

    def loss_sum(self, model: Any, rows: Sequence[TrainingRow]) -> Tensor:  # noqa: ANN401 - a model of peft
        """Return the sum over the completions' tokens of -log p(token)."""
        return -(log_probabilities(model, rows).sum())
