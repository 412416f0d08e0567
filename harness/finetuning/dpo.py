"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, equation 7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from harness.finetuning.likelihood import known_log_probabilities, total_log_probabilities
from harness.finetuning.rows import PairRow


@dataclass(frozen=True)
class Dpo:
    """Every pair weighs the same: -log sigmoid(beta (log-ratio of the chosen one - log-ratio of the rejected one)).

    A log-ratio is log p(completion) by the adapted model less that by the model itself.
    """

    beta: float = 0.1

    task = "CAUSAL_LM"
    auto_class = "AutoModelForCausalLM"
    row_name = "pairs"
    learning_rate = 5e-5
    further_passes = 1

    def tokens(self, row: PairRow) -> int:
        """Return the number of tokens of both completions with their prompts, the shorter one padded."""
        return 2 * max(len(row.chosen.ids), len(row.rejected.ids))

    def weight(self, row: PairRow) -> float:
        """Return 1."""
        return 1.0

    def prepared(self, model: Any, rows: Sequence[PairRow], most: int) -> Sequence[PairRow]:  # noqa: ANN401
        """Return the pairs with their log-probabilities by the model without its adapter.

        They are computed in each epoch anew: those of another batch would differ by rounding after a resumption.
        """
        chosen, rejected = (
            known_log_probabilities(model, side, most, adapted=False)
            for side in ([row.chosen for row in rows], [row.rejected for row in rows])
        )
        return [replace(row, reference=one - other) for row, one, other in zip(rows, chosen, rejected, strict=True)]

    def loss_sum(self, model: Any, rows: Sequence[PairRow]) -> Tensor:  # noqa: ANN401 - a model of peft
        """Return the summed loss of the pairs."""
        both = [row.chosen for row in rows] + [row.rejected for row in rows]
        chosen_N, rejected_N = total_log_probabilities(model, both).chunk(2)
        reference_N = torch.tensor([row.reference for row in rows], device=chosen_N.device)
        return -logsigmoid(self.beta * (chosen_N - rejected_N - reference_N)).sum()
