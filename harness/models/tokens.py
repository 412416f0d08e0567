"""A sample as tokens."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tokens:
    """Prompt and completion, joined as tokens: the positions [start, end) are the completion's."""

    ids: list[int]
    start: int
    end: int
    cut: bool  # whether tokens were left out because the context is too short

    @property
    def span(self) -> tuple[int, int]:
        """The completion's positions; the last position there is where the completion is empty."""
        return (self.start, self.end) if self.end > self.start else (len(self.ids) - 1, len(self.ids))


def prompt_ids(tokenizer: Any, prompt: str) -> tuple[int, ...]:  # noqa: ANN401 - transformers' own
    """A prompt as the model is shown it: with the special tokens that begin a text, unless it brings them itself."""
    begun = bool(tokenizer.bos_token) and prompt.startswith(tokenizer.bos_token)
    ids = list(tokenizer(prompt, add_special_tokens=not begun, verbose=False).input_ids)
    if ids and ids[-1] == tokenizer.eos_token_id and not prompt.endswith(tokenizer.eos_token):
        ids.pop()  # some tokenizers end every text, which is not to end here
    filler = next((i for i in (tokenizer.bos_token_id, tokenizer.eos_token_id) if i is not None), 0)
    return tuple(ids) or (filler,)
