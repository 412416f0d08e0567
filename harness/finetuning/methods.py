"""The methods of fine-tuning by name: each says what a row weighs, and its loss.

A method of another kind of row is a class with the same members and a name in `METHODS`; the loop, the checkpoints and
the adapter's card serve it unchanged.
"""

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar

from torch import Tensor

from benchmarks.choices import unknown
from harness.errors import QprobeError

Row = TypeVar("Row")


class Method(Protocol[Row]):
    """A way to train an adapter. The loss of a batch is the sum of `loss_sum` divided by the sum of `weight`."""

    task: str  # peft's name of the model's kind: CAUSAL_LM, or SEQ_CLS for a model with a scalar head
    auto_class: str  # the class of transformers that loads it
    row_name: str  # what a row is called, in the plural
    learning_rate: float  # the default
    further_passes: int  # forward passes without a gradient that a row takes beside the one that it learns from

    def tokens(self, row: Row) -> int:
        """Return the number of tokens that a row puts through the model."""
        ...

    def weight(self, row: Row) -> float:
        """Return the row's share in the loss of its batch."""
        ...

    def prepared(self, model: Any, rows: Sequence[Row], most: int) -> Sequence[Row]:  # noqa: ANN401
        """Return a step's rows with what their losses need of each other, or of the model without its adapter.

        At most `most` padded tokens are computed at once.
        """
        ...

    def loss_sum(self, model: Any, rows: Sequence[Row]) -> Tensor:  # noqa: ANN401 - a model of peft
        """Return the summed loss of some rows, with its gradient."""
        ...


METHODS = {
    "sft": "harness.finetuning.sft:Sft",
    "dpo": "harness.finetuning.dpo:Dpo",
    "kto": "harness.finetuning.kto:Kto",
    "reward": "harness.finetuning.reward:Reward",
}
"""Name -> module and class. Those with a beta have it as their only argument; its default is the class's own."""


def find_method(name: str, beta: float | None = None) -> Method[Any]:
    """Return the method of that name. Raises QprobeError for an unknown one, and for a beta where it has none."""
    if name not in METHODS:
        raise QprobeError(unknown("method of fine-tuning", name, METHODS))
    module, _, attribute = METHODS[name].partition(":")
    kind = getattr(import_module(module), attribute)
    if beta is not None and "beta" not in inspect.signature(kind).parameters:
        raise QprobeError(f"--beta is about the methods dpo and kto: leave it out with --method {name}.")
    method: Method[Any] = kind() if beta is None else kind(beta)
    return method
