"""The mapping from numbers to places on a figure, and the round numbers at the ticks of axes."""

import math
from collections.abc import Sequence
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

    def ticks(self, least: int = 4) -> list[float]:
        """Return `least` round numbers or a few more: multiples of 1, 2 or 5 times a power of ten, evenly spaced."""
        if self.high <= self.low:
            return [self.low]
        widest = math.ceil(math.log10(self.high - self.low))
        steps = (factor * 10.0**power for power in range(widest, widest - 4, -1) for factor in (5, 2, 1))
        for step in steps:
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last - first + 1 >= least:
                break
        return [round(i * step, 12) for i in range(first, last + 1)]


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return the ascending places moved as little as possible, at least `gap` apart and from `low` to `high`.

    The least squares solution is isotonic regression of the places less their multiples of the gap: neighbours in the
    wrong order are pooled at their mean.
    """
    pools: list[tuple[float, int]] = []
    for i, place in enumerate(places):
        total, count = place - i * gap, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            total, count = total + pools[-1][0], count + pools[-1][1]
            pools.pop()
        pools.append((total, count))
    top = max(high - gap * (len(places) - 1), low)
    moved = [min(max(total / count, low), top) for total, count in pools for _ in range(count)]
    return [place + i * gap for i, place in enumerate(moved)]


def sample_ticks(most: int) -> list[tuple[float, str]]:
    """Return ticks for numbers of samples on a logarithmic axis: 1, 2, 3, 5, 10, 20, 30, 50, ... and the last."""
    round_numbers = (factor * 10**power for power in range(9) for factor in (1, 2, 3, 5))
    return [(k, str(k)) for k in [*(k for k in round_numbers if k * 1.3 < most), most]]


def padded(low: float, high: float, by: float = 0.06) -> tuple[float, float]:
    """Return the range with a margin on both sides, also if it is a single number."""
    margin = (high - low) * by or max(abs(high), 1.0) * by
    return low - margin, high + margin


def short(number: float) -> str:
    """Format a tick's label: 0, .25, 1, 20, 10k, 1.5M."""
    if abs(number) >= 1_000_000:
        return f"{number / 1_000_000:g}M"
    if abs(number) >= 10_000:
        return f"{number / 1000:g}k"
    text = f"{number:.6g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
