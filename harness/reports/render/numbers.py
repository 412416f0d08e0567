"""Numbers and names as tables and pages show them; a number that does not exist is an empty string."""

import math
from pathlib import PurePath


def short(number: float, sign: str = "") -> str:
    """Format with three decimals and no leading zero: .221, +.028, 1.000."""
    if not math.isfinite(number):
        return ""
    return f"{number:{sign}.3f}".replace("0.", ".", 1) if abs(number) < 0.9995 else f"{number:{sign}.3f}"


def interval(low: float, high: float, sign: str = "") -> str:
    """Format an interval: [.204, .241]."""
    return f"[{short(low, sign)}, {short(high, sign)}]" if math.isfinite(low + high) else ""


def p_text(p: float) -> str:
    """Format a p-value: .031, <.001."""
    return "<.001" if p < 0.001 else short(p)


def share(part: float) -> str:
    """Format a share in per cent, with one decimal: 12.5 %."""
    return f"{part:.1%}".replace("%", " %")


def counted(count: int, noun: str) -> str:
    """Format a count with its noun: 1 problem, 2,000 problems."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def model_text(name: str) -> str:
    """Shorten the path in a model's name to its end: hf:.../mini/model."""
    scheme, _, folder = name.partition(":")
    parts = PurePath(folder).parts
    return f"{scheme}:.../{'/'.join(parts[-2:])}" if folder.startswith("/") and len(parts) > 3 else name
