"""The one style of messages about unknown names."""

from collections.abc import Sequence
from difflib import get_close_matches


def choose_from(name: str, choices: Sequence[str]) -> str:
    """Return "Choose from a, b." and, if a choice is close to the name, "Did you mean 'a'?" """
    close = get_close_matches(name, choices, n=1)
    return f"Choose from {', '.join(choices)}." + (f" Did you mean {close[0]!r}?" if close else "")
