"""Log-probabilities of completions: with a gradient, and as numbers of the model with and without its adapter."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from harness.finetuning.rows import PaddedRows, TrainingRow, parts_of


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


def total_log_probabilities(model: Any, rows: Sequence[TrainingRow]) -> Tensor:  # noqa: ANN401
    """Return the log-probability of each completion, [rows]."""
    return log_probabilities(model, rows).sum(1)


def known_log_probabilities(
    model: Any,  # noqa: ANN401
    rows: Sequence[TrainingRow],
    most: int,
    *,
    adapted: bool,
) -> list[float]:
    """Return the same as numbers, by the model with its adapter or without it; `most` padded tokens at once.

    There is no dropout, so that nothing random is drawn.
    """
    values: dict[int, float] = {}
    places = sorted(range(len(rows)), key=lambda place: len(rows[place].ids))
    with _evaluating(model), nullcontext() if adapted else model.disable_adapter():
        for part in parts_of(places, lambda place: len(rows[place].ids), most):
            own = total_log_probabilities(model, [rows[place] for place in part]).tolist()
            values |= dict(zip(part, own, strict=True))
    return [values[place] for place in range(len(rows))]


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:  # noqa: ANN401
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
