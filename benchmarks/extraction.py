"""Make a program from the raw text of a completion. Pure functions, so that it can be redone on stored text."""

from collections.abc import Iterable

from benchmarks.problem import Problem
from benchmarks.program_choice import whole_block

FUNCTION_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""The stop strings that end a function body, of Chen et al. 2021 (arXiv 2107.03374, section 2.1)."""


def cut_at(text: str, stops: Iterable[str]) -> str:
    """Return `text` up to the first occurrence of any of `stops`."""
    ends = (text.find(stop) for stop in stops)
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def program_of(problem: Problem, prompt: str, completion: str) -> str:
    """Return the program in a completion: the prompt continued, or the completion where it is a whole program."""
    if problem.language:
        return whole_program(completion, problem.stop, problem.language)
    return continue_prompt(prompt, completion, problem.stop)


def whole_program(completion: str, stops: Iterable[str], language: str = "python") -> str:
    """Return the program among a completion's fenced blocks, or else all of the completion, up to the first stop."""
    block = whole_block(completion, language)
    return cut_at(completion if block is None else block, stops)


def continue_prompt(prompt: str, completion: str, stops: Iterable[str]) -> str:
    """Return the program of a completion model: the prompt, continued up to the first stop string."""
    return prompt + cut_at(completion, stops)
