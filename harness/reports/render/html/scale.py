"""The mapping from numbers to places on a figure, and the round numbers at the ticks of axes."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps the numbers from `low` to `high` to the places from `start` to `end`, evenly or by their logarithms."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, number: float) -> float:
        """Return the place of a number; numbers outside the scale lie outside."""
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, number))
        return self.start + (self.end - self.start) * ((at - low) / (high - low) if high > low else 0.5)

    def ticks(self, about: int = 5) -> list[float]:
        """Return about `about` round numbers within the scale."""
        return _log_ticks(self.low, self.high, about) if self.log else _even_ticks(self.low, self.high, about)


def _even_ticks(low: float, high: float, about: int) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, about: int) -> list[float]:
    """Return 1, 2 and 5 times powers of ten; only the powers if they suffice."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [f * 10.0**d for d in decades for f in factors if low * 0.999 <= f * 10.0**d <= high * 1.001]
        if len(ticks) >= min(about, 4):
            break
    return ticks or [low]


def padded(low: float, high: float, by: float = 0.06) -> tuple[float, float]:
    """Return the range with a margin on both sides, also if it is a single number."""
    margin = (high - low) * by or max(abs(high), 1.0) * by
    return low - margin, high + margin


def short(number: float) -> str:
    """Format a tick's label: 0, .25, 1, 20, 1k."""
    if abs(number) >= 10_000:
        return f"{number / 1000:g}k"
    text = f"{number:.6g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
