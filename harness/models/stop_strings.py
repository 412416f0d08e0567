"""When a sequence ends: at an end token or at a stop string of its own, found as its text grows token by token."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any


class TokenText:
    """What each token adds to a text, found when it is first asked for."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - transformers' own
        self._tokenizer = tokenizer
        # Some tokenizers drop the blank that begins a text: a letter before it keeps the blank.
        self._anchor = list(tokenizer("a", add_special_tokens=False).input_ids)
        self._front = self._decode(self._anchor)
        self._known: dict[int, str] = {}

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def text(self, ids: Iterable[int]) -> str:
        """The text of a continuation, special tokens left out."""
        return self._decode([*self._anchor, *ids])[len(self._front) :]

    def __getitem__(self, token: int) -> str:
        """The text of one token; half a character is U+FFFD."""
        if (piece := self._known.get(token)) is None:
            piece = self._known[token] = self.text([token])
        return piece


class StopFinder:
    """Follows one sequence's text and says when it holds one of its stop strings.

    A string of ASCII characters alone is found piece by piece. Others may be cut inside a character by a token's end,
    so the last tokens are decoded together for them.
    """

    __slots__ = ("_keep", "_pieces", "_search", "_tail", "_window")

    def __init__(self, pieces: TokenText, stops: tuple[str, ...]) -> None:
        self._pieces, self._tail = pieces, ""
        self._search = _pattern(stops).search
        longest = max(map(len, stops), default=1)
        self._keep = longest - 1
        # A character is at most four tokens of one byte each.
        self._window = 0 if all(stop.isascii() for stop in stops) else 4 * longest

    def found(self, ids: Sequence[int]) -> bool:
        """Whether the text up to the last of these ids, all that were drawn so far, holds a stop string."""
        if self._window:
            text = self._pieces.text(ids[-self._window :])
        else:
            text = self._tail + self._pieces[ids[-1]]
            self._tail = text[-self._keep :] if self._keep else ""
        return self._search(text) is not None


@cache
def _pattern(stops: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any of the strings; nothing where there is none."""
    return re.compile("|".join(map(re.escape, stops)) or r"(?!)")
