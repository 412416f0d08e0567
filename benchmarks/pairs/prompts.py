"""The prompts of a pair set as a benchmark, `pairs:SET`, so that any engine can draw replies for them."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.pairs.pair import HUMAN, Pair, PairSet
from benchmarks.problem import Problem


class PairPrompts:
    """One problem per prompt, under the id of its first pair. A reply ends where the next turn begins."""

    def __init__(self, pair_set: PairSet) -> None:
        self._pair_set = pair_set
        self.name = f"pairs:{pair_set.name}"
        self.licence = pair_set.licence

    def problems(self) -> Sequence[Problem]:
        """Return the prompts. Raises BenchmarkError where the pairs cannot be had or read."""
        first: dict[str, Pair] = {}
        for pair in self._pair_set.pairs():
            first.setdefault(pair.prompt, pair)
        return [as_problem(pair) for pair in first.values()]

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """Return prompt and reply: nothing is run."""
        ends = (completion.find(stop) for stop in problem.stop)
        return prompt + completion[: min((end for end in ends if end >= 0), default=len(completion))]

    def fetch(self) -> Path | None:
        """Cache the pairs; None where they are on this machine."""
        return self._pair_set.fetch()


def as_problem(pair: Pair) -> Problem:
    """Return the prompt of a pair as a problem without tests."""
    return Problem(pair.id, pair.prompt, entry_point="", tests="", split=pair.split, stop=(HUMAN,))
