"""Numbers and names as tables and pages show them."""

from pathlib import PurePath


def short(number: float, sign: str = "") -> str:
    """Three places and no leading zero: .221, +.028, 1.000."""
    return f"{number:{sign}.3f}".replace("0.", ".", 1) if abs(number) < 0.9995 else f"{number:{sign}.3f}"


def interval(low: float, high: float, sign: str = "") -> str:
    """[.204, .241]"""
    return f"[{short(low, sign)}, {short(high, sign)}]"


def p_text(p: float) -> str:
    """A p-value: .031, <.001."""
    return "<.001" if p < 0.001 else short(p)


def share(part: float) -> str:
    """A share in per cent, with one place: 12.5 %."""
    return f"{part:.1%}".replace("%", " %")


def model_text(name: str) -> str:
    """A model's name; of one in a folder far from here the end of its path: hf:.../mini/model."""
    scheme, _, folder = name.partition(":")
    parts = PurePath(folder).parts
    return f"{scheme}:.../{'/'.join(parts[-2:])}" if folder.startswith("/") and len(parts) > 3 else name
