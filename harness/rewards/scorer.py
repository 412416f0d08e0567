"""The interface of reward models, and the registry of their kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from benchmarks.choices import unknown
from harness.errors import QprobeError
from harness.finetuning.card import AdapterCard
from harness.models.tokens import Text


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample as a reward model reads it."""

    problem: str  # the problem's prompt
    program: str
    text: Text  # what the model that drew it was shown, and what it wrote


class Scorer(Protocol):
    """A model that scores samples; a higher score is a better one."""

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a score depends on besides its sample."""
        ...

    @property
    def labels(self) -> int | None:
        """The number of labelled samples that it learnt from; None where that is not known."""
        ...

    @property
    def parameters(self) -> int:
        """The number of its parameters; reads the weights."""
        ...

    @property
    def card(self) -> AdapterCard | None:
        """The card of its adapter, which names what it was trained on; None for a model from elsewhere."""
        ...

    def score(self, samples: Sequence[Judged]) -> list[float]:
        """Return a score per sample, by one forward pass over each. Raises QprobeError for NaN and infinity."""
        ...


SCORERS = {
    "prompted": "harness.rewards.prompted:PromptedReward",
    "classifier": "harness.rewards.classifier:ClassifierReward",
}
"""Name -> module and class, called as `Class(spec, label=..., device=...)`."""


def open_scorer(name: str, spec: str, *, label: str = "", device: str = "auto") -> Scorer:
    """Return a reward model, cheap checks done; its weights are not read yet. Raises QprobeError."""
    if name not in SCORERS:
        raise QprobeError(unknown("kind of reward model", name, SCORERS))
    module, _, attribute = SCORERS[name].partition(":")
    scorer: Scorer = getattr(import_module(module), attribute)(spec, label=label, device=device)
    return scorer
