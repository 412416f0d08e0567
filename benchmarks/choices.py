"""The message for a name that is none of those to choose from."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return "Unknown KIND 'NAME'. Choose from A, B. Did you mean A?", the question where a choice is near."""
    names = list(choices)
    near = get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"Unknown {kind} {name!r}. Choose from {', '.join(names)}.{hint}"


def unknown_clause(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return the same message as a clause, which names its place before and ends a sentence."""
    names = list(choices)
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {kind} {name!r}{hint}; choose from {', '.join(names)}"
