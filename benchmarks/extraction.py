"""From the raw text of a completion to a program. Pure functions, so that it can be redone on stored text."""

import re
from collections.abc import Iterable

from benchmarks.problem import Problem

FUNCTION_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""Where a completed function body ends: the stop strings of Chen et al. 2021 (arXiv 2107.03374, section 2.1)."""

_BLOCK = re.compile(r"^```[^\n`]*\n(.*?)(?:^```|\Z)", re.MULTILINE | re.DOTALL)
"""A fenced block; the last one may lack its end, where the completion was cut."""


def cut_at(text: str, stops: Iterable[str]) -> str:
    """Return `text` up to the first occurrence of any of `stops`."""
    ends = (text.find(stop) for stop in stops)
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def program_of(problem: Problem, prompt: str, completion: str) -> str:
    """Return the program in a completion: the prompt continued, or the completion where it is a whole program."""
    if problem.language:
        return whole_program(completion, problem.stop)
    return continue_prompt(prompt, completion, problem.stop)


def whole_program(completion: str, stops: Iterable[str]) -> str:
    """Return the last block between fences, as chats write programs, or else everything; up to the first stop."""
    blocks = _BLOCK.findall(completion)
    return cut_at(blocks[-1] if blocks else completion, stops)


def continue_prompt(prompt: str, completion: str, stops: Iterable[str]) -> str:
    """Return the program of a completion model: the prompt, continued up to the first stop string."""
    return prompt + cut_at(completion, stops)
