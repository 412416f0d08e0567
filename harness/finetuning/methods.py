"""The methods of fine-tuning by name: each says what a row weighs, and its loss.

A method of another kind of row (pairs of completions, say) is a class with the same members and a name in `METHODS`;
the loop, the checkpoints and the adapter's card serve it unchanged.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar

from torch import Tensor

from benchmarks.choices import unknown
from harness.errors import QprobeError

Row = TypeVar("Row", contravariant=True)


class Method(Protocol[Row]):
    """A way to train an adapter. The loss of a batch is the sum of `loss_sum` divided by the sum of `weight`."""

    task: str  # peft's name of the model's kind: CAUSAL_LM, or SEQ_CLS for a model with a scalar head
    auto_class: str  # the class of transformers that loads it

    def tokens(self, row: Row) -> int:
        """Return the number of tokens that a row puts through the model."""
        ...

    def weight(self, row: Row) -> float:
        """Return the row's share in the loss of its batch."""
        ...

    def loss_sum(self, model: Any, rows: Sequence[Row]) -> Tensor:  # noqa: ANN401 - a model of peft
        """Return the summed loss of some rows, with its gradient."""
        ...


METHODS = {
    "sft": "harness.finetuning.sft:Sft",
    "reward": "harness.finetuning.reward:Reward",
}
"""Name -> module and class, called without arguments."""


def find_method(name: str) -> Method[Any]:
    """Return the method of that name. Raises QprobeError for an unknown one."""
    if name not in METHODS:
        raise QprobeError(unknown("method of fine-tuning", name, METHODS))
    module, _, attribute = METHODS[name].partition(":")
    method: Method[Any] = getattr(import_module(module), attribute)()
    return method
