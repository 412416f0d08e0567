"""Supervised fine-tuning: the mean negative log-likelihood of the tokens of completions that pass."""

import inspect
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from harness.finetuning.rows import PaddedRows, TrainingRow


class Sft:
    """Every token of a completion weighs the same; the prompt is read, and not learnt."""

    task = "CAUSAL_LM"
    auto_class = "AutoModelForCausalLM"

    def tokens(self, row: TrainingRow) -> int:
        """Return the number of tokens of the prompt and the completion."""
        return len(row.ids)

    def weight(self, row: TrainingRow) -> float:
        """Return the number of tokens of the completion."""
        return len(row.ids) - row.start

    def loss_sum(self, model: Any, rows: Sequence[TrainingRow]) -> Tensor:  # noqa: ANN401 - a model of peft
        """Return the sum over the completions' tokens of -log p(token)."""
        return -(log_probabilities(model, rows).sum())


def log_probabilities(model: Any, rows: Sequence[TrainingRow]) -> Tensor:  # noqa: ANN401 - a model of peft
    """Return the log-probability of each token of the completions, [rows, tokens], 0 at all others.

    The logits of the prompts' tokens are not computed where the model can leave them out.
    """
    padded = PaddedRows.of(rows, model.device)
    first = min(row.start for row in rows)
    kept = padded.ids_NT.shape[1] - first + 1  # the logits before a token foretell it
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    keeps = "logits_to_keep" in inspect.signature(base.forward).parameters
    options = {"logits_to_keep": kept} if keeps else {}
    logits_NTV = model(input_ids=padded.ids_NT, attention_mask=padded.mask_NT, **options).logits[:, -kept:-1]
    targets_NT, counted_NT = padded.ids_NT[:, first:], padded.completion_NT[:, first:]
    losses_NT = cross_entropy(logits_NTV.float().transpose(1, 2), targets_NT, reduction="none")
    return -losses_NT * counted_NT
