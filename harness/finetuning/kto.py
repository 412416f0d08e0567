"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv 2402.01306, equations 7 and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from harness.finetuning.likelihood import known_log_probabilities, total_log_probabilities
from harness.finetuning.rows import LabelledRow, TrainingRow


@dataclass(frozen=True)
class Kto:
    """Every completion weighs the same: 1 - sigmoid(+-beta (log-ratio - divergence)), + for a wanted one.

    A log-ratio is log p(completion) by the adapted model less that by the model itself. The divergence, which has no
    gradient, is the mean log-ratio of completions behind the prompts of other rows of the step, and 0 if that is less.
    """

    beta: float = 0.1

    task = "CAUSAL_LM"
    auto_class = "AutoModelForCausalLM"
    row_name = "samples"
    learning_rate = 5e-5
    further_passes = 3

    def tokens(self, row: LabelledRow) -> int:
        """Return the number of tokens of the prompt and the completion."""
        return len(row.completion.ids)

    def weight(self, row: LabelledRow) -> float:
        """Return 1."""
        return 1.0

    def prepared(self, model: Any, rows: Sequence[LabelledRow], most: int) -> Sequence[LabelledRow]:  # noqa: ANN401
        """Return the rows with their log-probabilities by the model without its adapter, and the divergence."""
        completions = [row.completion for row in rows]
        references = known_log_probabilities(model, completions, most, adapted=False)
        divergence = _divergence(model, completions, most)
        return [
            replace(row, reference=reference, divergence=divergence)
            for row, reference in zip(rows, references, strict=True)
        ]

    def loss_sum(self, model: Any, rows: Sequence[LabelledRow]) -> Tensor:  # noqa: ANN401 - a model of peft
        """Return the summed loss of the rows."""
        totals_N = total_log_probabilities(model, [row.completion for row in rows])
        baselines_N, signs_N = (
            torch.tensor(values, device=totals_N.device)
            for values in (
                [row.reference + row.divergence for row in rows],
                [1.0 if row.completion.reward else -1.0 for row in rows],
            )
        )
        return torch.sigmoid(-self.beta * signs_N * (totals_N - baselines_N)).sum()


def _divergence(model: Any, rows: Sequence[TrainingRow], most: int) -> float:  # noqa: ANN401
    """Return the estimate of KL(adapted model || model) at least 0; a row alone has no other prompt, and gives 0."""
    if len(rows) < 2:
        return 0.0
    others = mismatched(rows)
    adapted, plain = (known_log_probabilities(model, others, most, adapted=adapted) for adapted in (True, False))
    return max(0.0, fmean(one - other for one, other in zip(adapted, plain, strict=True)))


def mismatched(rows: Sequence[TrainingRow]) -> list[TrainingRow]:
    """Return each prompt with the completion of the row before.

    The beginning of a prompt is cut where the two would be longer than the longest row, which the model can read.
    """
    longest = max(len(row.ids) for row in rows)
    made = []
    for row, before in zip(rows, [rows[-1], *rows[:-1]], strict=True):
        completion = before.ids[before.start :]
        ids = (row.ids[: row.start] + completion)[-longest:]
        made.append(replace(row, ids=ids, start=len(ids) - len(completion)))
    return made
