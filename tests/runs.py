"""Runs made on the spot: real stores and real vectors, with programs and verdicts that are known beforehand."""

import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks import Problem
from harness.commands.terminal import Terminal
from harness.models.hf.embedder import HfEmbedder
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.stages.embed import embed
from sandbox import Outcome, Status

QUIET = Terminal(quiet=True)
WORDS = ("apple", "river", "stone", "cloud", "tiger", "lemon", "piano", "rocket", "garden", "window")


def problem(benchmark: str, number: int, split: str = "test") -> Problem:
    """One of as many problems as are wanted, no two alike."""
    name = f"{WORDS[number % 10]}_{number}"
    about = " ".join(random.Random(number).choices(WORDS, k=12))
    prompt = f'def {name}(x):\n    """{about}"""\n'
    return Problem(f"{benchmark}/{number}", prompt, name, f"assert {name}({number}) == {number}", split=split)


def completions(problem: Problem, samples: int) -> list[Completion]:
    """Every second one returns its argument, and passes."""
    texts = [f"    return {'x' if i % 2 else 'None'}  # {i // 2}\n" for i in range(samples)]
    return [Completion(problem.id, i, problem.prompt, text, problem.prompt + text) for i, text in enumerate(texts)]


def make_run(
    folder: Path,
    model: Path | str,
    *,
    benchmark: str = "own",
    numbers: Sequence[int] = range(12),
    samples: int = 6,
    split: str = "test",
    layers: str = "1,2",
) -> Path:
    """A run that is graded and embedded, or further problems for one that there is."""
    with Store(folder, create=True) as store:
        store.settle("benchmark", benchmark)
        store.note("source", {"file": "own.jsonl", "complete": True})
        problems = [problem(benchmark, number, split) for number in numbers]
        store.add_problems(problems)
        drawn = [completion for problem in problems for completion in completions(problem, samples)]
        store.add_completions(drawn)
        store.note("grader", "known")
        status = {True: Status.PASSED, False: Status.FAILED}
        store.add_verdicts("known", {completion.id: Outcome(status[completion.index % 2 == 1]) for completion in drawn})
        embed(store, HfEmbedder(f"hf:{model}", layers=layers), QUIET)
    return folder
