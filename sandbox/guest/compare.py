"""Whether what a program printed is what was expected: byte by byte, token by token, line by line or as numbers.

Made in the examiner, from bytes: nothing of the program's own decides.
"""

from collections.abc import Callable

_TOLERANCE = 1e-6
_SHOWN = 60


def difference(rule: str, printed: bytes, expected: bytes) -> str:
    """What is wrong with `printed` in a few words; "" where nothing is."""
    split, same = _RULES[rule]
    found, wanted = split(printed), split(expected)
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), start=1):
        if not same(one, other):
            return f"{_unit(rule)} {number} is {_show(one)}, not {_show(other)}"
    if len(found) != len(wanted):
        return f"{len(found)} {_unit(rule)}s, not {len(wanted)}"
    return ""


def _tokens(text: bytes) -> list[bytes]:
    return text.split()


def _lines(text: bytes) -> list[bytes]:
    """Lines without white space at their ends, and without empty ones at the end."""
    lines = [line.rstrip() for line in text.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_bytes(one: bytes, other: bytes) -> bool:
    return one == other


def _same_numbers(one: bytes, other: bytes) -> bool:
    """Equal, or both decimal numbers that differ by 1e-6 at most, absolutely or relative to the expected one."""
    if one == other:
        return True
    if b"_" in one:  # Python's own way to write a number
        return False
    try:
        found, wanted = float(one), float(other)
    except ValueError:
        return False
    return abs(found - wanted) <= _TOLERANCE * max(1.0, abs(wanted)) < float("inf")


def _unit(rule: str) -> str:
    return "line" if rule == "lines" else "token"


def _show(text: bytes) -> str:
    shown = text[:_SHOWN].decode("utf-8", "replace")
    return repr(shown) + ("..." if len(text) > _SHOWN else "")


_RULES: dict[str, tuple[Callable[[bytes], list[bytes]], Callable[[bytes, bytes], bool]]] = {
    "tokens": (_tokens, _same_bytes),
    "lines": (_lines, _same_bytes),
    "numbers": (_tokens, _same_numbers),
}
