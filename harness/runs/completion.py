"""A completion: what a model wrote for a problem, and the program made of it."""

from dataclasses import dataclass
from typing import NamedTuple

LEAST_SHARED = 8
"""Characters that a program has in common with the end of its prompt, at least, if it follows it."""

GREEDY = -1
"""The index of a problem's greedy completion: it is no part of the k samples."""


class SampleId(NamedTuple):
    """Names one sample of a run. Everything in a run is joined by it, never by position."""

    problem_id: str
    sample: int  # 0 .. k-1 within the problem; GREEDY


class TokenScores(NamedTuple):
    """The log-probabilities of one sample's tokens at temperature 1, as the fields of `Completion`."""

    tokens: int
    logprob: float
    least_logprob: float
    self_certainty: float | None


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample of one problem."""

    problem_id: str
    index: int  # 0 .. k-1 within the problem; GREEDY
    prompt: str  # what the model was shown
    text: str  # what it wrote, raw
    program: str  # what is run: made from the text by the benchmark's extraction, or imported whole
    finish_reason: str = ""  # "stop" | "length" | "" where unknown
    tokens: int | None = None  # generated tokens, the stop string's included
    logprob: float | None = None  # sum over those tokens of log p(token) at temperature 1, in nats
    seed: int | None = None
    token_ids: tuple[int, ...] = ()  # those tokens as drawn; empty where the engine does not tell them
    least_logprob: float | None = None  # the least log p(token) of those tokens
    self_certainty: float | None = None  # mean over those tokens of KL(uniform || p) in nats

    @property
    def id(self) -> SampleId:
        """Problem and index."""
        return SampleId(self.problem_id, self.index)

    @property
    def continuation(self) -> str:
        """The part of the program that follows the prompt, or the prompt's end: the last problem of a few-shot prompt.

        The whole program where it begins with neither.
        """
        prompt, text, program = self.prompt, self.text, self.program
        if program.startswith(prompt):
            return program[len(prompt) :]
        begin = -1 if program and text.startswith(program) else prompt.find(program[:LEAST_SHARED])
        while begin >= 0:
            rest = program[len(prompt) - begin :]
            if program.startswith(prompt[begin:]) and text.startswith(rest):
                return rest
            begin = prompt.find(program[:LEAST_SHARED], begin + 1)
        return program
