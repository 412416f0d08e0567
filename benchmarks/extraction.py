"""From the raw text of a completion to a program. Pure functions, so that it can be redone on stored text."""

from collections.abc import Iterable

FUNCTION_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""Where a completed function body ends: the stop strings of Chen et al. 2021 (arXiv 2107.03374, section 2.1)."""


def cut_at(text: str, stops: Iterable[str]) -> str:
    """Return `text` up to the first occurrence of any of `stops`."""
    ends = (text.find(stop) for stop in stops)
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def continue_prompt(prompt: str, completion: str, stops: Iterable[str]) -> str:
    """Return the program of a completion model: the prompt, continued up to the first stop string."""
    return prompt + cut_at(completion, stops)
