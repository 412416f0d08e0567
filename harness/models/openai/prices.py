"""Prices of a server, as options of its name: US dollars per million tokens, and the most that a stage may cost."""

from dataclasses import dataclass

from harness.errors import QprobeError
from harness.models.spec import Spec

OPTIONS = ("usd_in", "usd_out", "usd_max")
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one model; None where they were not given."""

    read: float | None = None  # per million tokens of prompts and texts
    written: float | None = None  # per million tokens of completions
    most: float | None = None  # in all

    @classmethod
    def of(cls, spec: Spec) -> "Prices":
        """Return the prices in a model's name. Raises QprobeError for one that is not a number of at least 0."""
        return cls(*(_number(spec, name) for name in OPTIONS))

    def cost(self, read: int, written: int) -> float | None:
        """Return the cost of so many tokens in US dollars; None where a price that it needs was not given."""
        if self.read is None or (written and self.written is None):
            return None
        return (read * self.read + written * (self.written or 0.0)) / MILLION


def _number(spec: Spec, name: str) -> float | None:
    word = spec.options.get(name)
    try:
        value = None if word is None else float(word)
    except ValueError:
        value = -1.0
    if value is not None and not 0 <= value < float("inf"):
        raise QprobeError(f"{name}={word} is not a price: write US dollars, as {name}=0.5.")
    return value
