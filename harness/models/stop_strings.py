"""Stop strings: found while a sequence's text grows token by token."""

import re
from collections.abc import Sequence
from functools import cache

from harness.models.token_text import TokenText


class StopFinder:
    """Follows the text of one sequence and reports when it holds one of its stop strings.

    Strings of ASCII characters are found token by token. A token may end inside another character, so the last tokens
    are decoded together for strings that hold such characters.
    """

    __slots__ = ("_keep", "_search", "_tail", "_token_text", "_window")

    def __init__(self, token_text: TokenText, stops: tuple[str, ...]) -> None:
        self._token_text, self._tail = token_text, ""
        self._search = _pattern(stops).search
        longest = max(map(len, stops), default=1)
        self._keep = longest - 1
        # A character is at most four tokens of one byte each.
        self._window = 0 if all(stop.isascii() for stop in stops) else 4 * longest

    def found(self, ids: Sequence[int]) -> bool:
        """Return whether the text of `ids`, the tokens drawn so far, holds a stop string; called after every token."""
        if self._window:
            text = self._token_text.text(ids[-self._window :])
        else:
            text = self._tail + self._token_text[ids[-1]]
            self._tail = text[-self._keep :] if self._keep else ""
        return self._search(text) is not None


@cache
def _pattern(stops: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern that matches any of the strings, and nothing without strings."""
    return re.compile("|".join(map(re.escape, stops)) or r"(?!)")
