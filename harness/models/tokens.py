"""A sample as text and as tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.models.characters import whole_characters


@dataclass(frozen=True, slots=True)
class Text:
    """A sample as an embedder reads it.

    `text[:end]` is the completion, `text[end:stop]` the stop string that ended it (empty where none did).
    """

    prompt: str
    text: str
    end: int
    stop: int
    token_ids: tuple[int, ...] = ()  # of `text` as drawn, an end token included; empty where unknown

    @classmethod
    def of(cls, prompt: str, completion: str, stop: str = "", token_ids: Sequence[int] = ()) -> "Text":
        """Return a completion and the stop string that ended it."""
        return cls(prompt, completion + stop, len(completion), len(completion + stop), tuple(token_ids))

    @property
    def completion(self) -> str:
        """The completion without the stop string."""
        return self.text[: self.end]

    @property
    def stop_string(self) -> str:
        """The stop string that ended the completion; "" where none did."""
        return self.text[self.end : self.stop]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The joined tokens of prompt and completion: positions [start, end) are the completion, [end, stop) its stop.

    Tokens after `stop` (an encoder's closing token) belong to neither.
    """

    ids: list[int]
    start: int
    end: int
    stop: int
    cut: bool  # tokens were left out because the context is too short

    @property
    def prefix(self) -> tuple[int, ...]:
        """The tokens before the completion."""
        return tuple(self.ids[: self.start])


def spans_of_drawn(ids: Sequence[int], text: Text, decode: Callable[[Sequence[int]], str]) -> tuple[int, int] | None:
    """Return how many of the drawn tokens hold the completion, and how many hold it and its stop string or end token.

    A token that holds the completion's end and the stop string's beginning counts as the stop's. None where the tokens
    do not read as the text: they come from another tokenizer.
    """
    # The text never holds the end token that closed it.
    written = next((count for count in (len(ids), len(ids) - 1) if decode(ids[:count]) == text.text), None)
    if written is None:
        return None

    @cache
    def length(count: int) -> int:
        return len(decode(ids[:count]))

    end = written  # rarely more than a few tokens follow the completion
    while end and length(end) > text.end:
        end -= 1
    while end and length(end - 1) == length(end):  # tokens without text
        end -= 1
    stop = len(ids) if text.stop == len(text.text) else end
    while length(stop) < text.stop:
        stop += 1
    return end, stop


ANCHORS = ("\n", "a", ";")
"""Texts put before a continuation while it is tokenised; the next is tried where one merges with it."""


def continuation_ids(tokenizer: Any, text: str, decode: Callable[[Sequence[int]], str]) -> list[int]:  # noqa: ANN401
    """Return the tokens of a text that continues a prompt.

    Some tokenizers (those of Llama 2 and CodeLlama) put a blank before every text, which a continuation must not get:
    it is then tokenised behind another text, whose tokens are left out. `decode` reads a continuation's tokens.
    """
    plain = plain_ids(tokenizer, text)
    if decode(plain) == text:
        return plain
    for anchor in ANCHORS:
        front, whole = plain_ids(tokenizer, anchor), plain_ids(tokenizer, anchor + text)
        ids = whole[len(front) :]
        if whole[: len(front)] == front and decode(ids) == text:
            return ids
    return plain


def plain_ids(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401
    """Return a text's tokens without special ones around them."""
    return list(tokenizer(whole_characters(text), add_special_tokens=False, verbose=False).input_ids)


def prompt_ids(tokenizer: Any, prompt: str) -> tuple[int, ...]:  # noqa: ANN401 - transformers' own
    """Return a prompt's tokens, with the special tokens that begin a text unless the prompt holds them itself."""
    begun = bool(tokenizer.bos_token) and prompt.startswith(tokenizer.bos_token)
    ids = list(tokenizer(whole_characters(prompt), add_special_tokens=not begun, verbose=False).input_ids)
    if ids and ids[-1] == tokenizer.eos_token_id and not prompt.endswith(tokenizer.eos_token):
        ids.pop()  # some tokenizers close every text, but this one continues
    filler = next((i for i in (tokenizer.bos_token_id, tokenizer.eos_token_id) if i is not None), 0)
    return tuple(ids) or (filler,)
