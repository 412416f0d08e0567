"""The text that tokens stand for, to the character: nothing that a model wrote is left out or changed."""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

BYTE = re.compile(r"<0x([0-9A-F]{2})>")
"""The name of a token that stands for one byte, in tokenizers such as that of Llama 2."""

TEXT_VERSION = 2
"""Raised when the same tokens get another text, so that no run mixes both. 2: special tokens are kept."""

Value = str | int | None
"""The text of a token that has its own, the byte that it stands for, or None: its tokenizer decodes it."""


class TokenText:
    """The text of each token and of continuations.

    A tokenizer's own `decode` either leaves out its special tokens (`<file_sep>`, `<|im_end|>`) or may change them, and
    replaces a whole run of bytes where one of them is cut off. Here special tokens read as they are named, and half a
    character is U+FFFD, whatever stands beside it.
    """

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - transformers' own
        self._tokenizer = tokenizer
        # Some tokenizers drop the blank that begins a text: a letter before it keeps the blank.
        self._anchor = list(tokenizer("a", add_special_tokens=False).input_ids)
        self._front = self._decode(self._anchor)
        self._values: dict[int, Value] = {}
        self._texts: dict[int, str] = {}

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def _continued(self, ids: Iterable[int]) -> str:
        return self._decode([*self._anchor, *ids])[len(self._front) :]

    def text(self, ids: Iterable[int]) -> str:
        """Return the text of a continuation, special tokens included."""
        parts = []
        for kind, run in groupby(ids, key=lambda token: type(self._value(token))):
            tokens = list(run)
            if kind is str:
                parts.append("".join(str(self._values[token]) for token in tokens))
            elif kind is int:
                parts.append(bytes(self._values[token] for token in tokens).decode("utf-8", "replace"))  # type: ignore[misc]
            else:
                parts.append(self._continued(tokens))
        return "".join(parts)

    def written(self, ids: Sequence[int], end_tokens: Collection[int]) -> str:
        """Return the text of a completion without the end token that closed it."""
        return self.text(ids[:-1] if ids and ids[-1] in end_tokens else ids)

    def __getitem__(self, token: int) -> str:
        """Return the text of one token; half a character is U+FFFD."""
        if (text := self._texts.get(token)) is None:
            text = self._texts[token] = self.text([token])
        return text

    def _value(self, token: int) -> Value:
        if token not in self._values:
            self._values[token] = self._find_value(token)
        return self._values[token]

    def _find_value(self, token: int) -> Value:
        if token in self._special:
            return self._special[token]
        decoded = self._continued([token])
        name = self._added.get(token) or ""
        if name and (not decoded or "\ufffd" in decoded):
            return name  # an added token is plain text, which a decoder of bytes does not know
        byte = BYTE.fullmatch(str(self._tokenizer.convert_ids_to_tokens(token)))
        return int(byte[1], 16) if byte and decoded != byte[0] else None

    @cached_property
    def _added(self) -> dict[int, str]:
        """Token -> text, of the tokens that stand beside the vocabulary."""
        added = getattr(self._tokenizer, "added_tokens_decoder", {})
        return {token: str(text) for token, text in added.items()}

    @cached_property
    def _special(self) -> dict[int, str]:
        """Token -> text, of the special tokens."""
        added = getattr(self._tokenizer, "added_tokens_decoder", {})
        special = {token: str(text) for token, text in added.items() if getattr(text, "special", False)}
        for token in self._tokenizer.all_special_ids:
            special.setdefault(token, str(self._tokenizer.convert_ids_to_tokens(token)))
        return special
