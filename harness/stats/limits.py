"""The limits of small samples: what so many problems cannot show, whatever the model."""

from harness.stats.table import RESAMPLES


def smallest_p(problems: int, compared: int = 1) -> float:
    """Return the smallest p-value of a paired comparison in which so many problems can differ.

    Flipping the signs of their differences gives 2^problems equally likely outcomes, two of which are the most extreme;
    Holm's correction multiplies the smallest of several p-values by their number.
    """
    return min(1.0, compared * max(2.0 ** (1 - problems), 1 / (RESAMPLES + 1)))


def highest_unseen(problems: int, confidence: float = 0.95) -> float:
    """Return the highest rate at which an event may never occur in so many problems: 1 - (1 - confidence)^(1 / n)."""
    return float(1 - (1 - confidence) ** (1 / problems))
