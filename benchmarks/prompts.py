"""The presets: prompts by name. A preset whose text or extraction changes gets a new version."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.chat_answers import VERSION, answered_program
from benchmarks.choices import unknown
from benchmarks.extraction import cut_at
from benchmarks.problem import Benchmark, BenchmarkError, Problem
from benchmarks.prompt import Prompt
from benchmarks.prompt_template import read_template

PRESETS = ("paper", "chat", "fewshot-N", "successes-N:RUN", "FILE.toml")
AUTHORS_SHOTS = ("MBPP/2", "MBPP/3", "MBPP/4")
"""The problems of MBPP's three-shot prompt (Austin et al. 2021, arXiv 2108.07732), which come first."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One solved problem that is shown before the problem itself."""

    problem_id: str
    prompt: str
    solution: str  # the text after the prompt


def paper(benchmark: Benchmark) -> Prompt:
    """Return the benchmark's prompt, continued; for MBPP and HumanEval as in arXiv 2402.14688, section 4."""
    return Prompt(
        f"{benchmark.name}/paper",
        1,
        lambda problem: problem.prompt,
        lambda problem, text: benchmark.program(problem, problem.prompt, text),
    )


def chat(benchmark: Benchmark) -> Prompt:
    """Return a question to a chat model, which is to answer with one code block."""
    return Prompt(f"{benchmark.name}/chat", VERSION, _question, answered_program, stop=(), chat=True)


def _question(problem: Problem) -> str:
    if not problem.entry_point:
        return f"{problem.prompt.rstrip()}\n\nAnswer with one code block that holds the whole program."
    return (
        f"Write the Python function `{problem.entry_point}`.\n\n```python\n{problem.prompt.rstrip()}\n```\n\n"
        "Answer with one code block that holds the whole function and the imports it needs, and nothing else."
    )


def with_shots(name: str, benchmark: Benchmark, shots: Sequence[Shot]) -> Prompt:
    """Return the benchmark's prompt after solved problems; a problem is never shown its own solution."""
    base = paper(benchmark)
    digest = hashlib.sha256(json.dumps([[shot.prompt, shot.solution] for shot in shots]).encode()).hexdigest()[:12]

    def render(problem: Problem) -> str:
        before = [f"{shot.prompt}{shot.solution.rstrip()}\n\n" for shot in shots if shot.problem_id != problem.id]
        return "".join([*before, problem.prompt])

    return replace(base, name=f"{benchmark.name}/{name}", render=render, digest=digest)


def fewshot(benchmark: Benchmark, count: int) -> Prompt:
    """Return a prompt that shows `count` solved problems of the `prompt` split; of MBPP, first its authors' choice.

    Raises BenchmarkError where the split has fewer.
    """
    pool = [problem for problem in benchmark.problems() if problem.split == "prompt" and problem.solution]
    pool.sort(key=lambda problem: problem.id not in AUTHORS_SHOTS)
    if not 1 <= count <= len(pool):
        size = f"has {len(pool)} problems" if pool else "has no split of problems"
        raise BenchmarkError(f"{benchmark.name} {size} to show in a prompt; fewshot-{count} is not possible.")
    shots = [Shot(shown.id, shown.prompt, shown.solution.removeprefix(shown.prompt)) for shown in pool[:count]]
    return with_shots(f"fewshot-{count}", benchmark, shots)


def shot_of(problem: Problem, program: str, stops: Sequence[str]) -> Shot:
    """Return a problem with a program that solves it, cut where a completion would end."""
    return Shot(problem.id, problem.prompt, cut_at(program.removeprefix(problem.prompt), stops))


def open_prompt(spec: str, benchmark: Benchmark) -> Prompt:
    """Return the prompt that a user names. Raises BenchmarkError for an unknown name."""
    if spec.endswith(".toml"):
        return read_template(spec, benchmark)
    if spec in ("paper", "chat"):
        return paper(benchmark) if spec == "paper" else chat(benchmark)
    if number := re.fullmatch(r"fewshot-(\d+)", spec):
        return fewshot(benchmark, int(number.group(1)))
    raise BenchmarkError(unknown("prompt", spec, PRESETS))
