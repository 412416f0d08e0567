"""Generate: draw k completions of every problem from a model, and keep each soon after it has ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import Benchmark, Problem
from benchmarks.data_files import well_formed
from benchmarks.errata import errata_of
from benchmarks.prompt import Prompt
from harness.errors import QprobeError
from harness.models.engine import Engine, Generated, Request
from harness.models.sampling import sample_seed
from harness.progress import SILENT, Advance, Progress
from harness.runs.completion import GREEDY, Completion, SampleId
from harness.runs.store import Store
from harness.stages.prompts import find_prompt

KEEP_SECONDS = 2.0
"""Completions are committed together, this often: what `kill -9` can lose."""


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """What is to be drawn, checked before any weights are read."""

    benchmark: Benchmark
    problems: Sequence[Problem]
    k: int
    seed: int
    prompt: Prompt
    greedy: bool = False  # draw each problem's greedy completion too

    @property
    def indices(self) -> list[int]:
        """The indices of a problem's completions."""
        return [*([GREEDY] if self.greedy else []), *range(self.k)]


def plan(
    benchmark: Benchmark,
    *,
    k: int,
    seed: int,
    split: str = "test",
    limit: int | None = None,
    prompt: str = "paper",
    greedy: bool = False,
) -> GenerationPlan:
    """Choose the problems. Raises QprobeError where there would be nothing to draw."""
    if k < 1:
        raise QprobeError(f"k is the number of samples a problem and must be at least 1, not {k}.")
    if limit is not None and limit < 1:
        raise QprobeError(f"--limit is a number of problems and must be at least 1, not {limit}.")
    everything = benchmark.problems()
    problems = [problem for problem in everything if problem.split == split]
    if not problems:
        splits = ", ".join(sorted({problem.split for problem in everything}))
        raise QprobeError(f"{benchmark.name} has no split {split!r}: it has {splits}.")
    return GenerationPlan(benchmark, problems[:limit], k, seed, find_prompt(prompt, benchmark), greedy)


def generate(store: Store, engine: Engine, work: GenerationPlan, progress: Progress = SILENT) -> int:
    """Draw what the run does not hold yet; what was drawn is kept however this ends. Returns how many were drawn."""
    wanted = [(problem, index) for problem in work.problems for index in work.indices]
    engine.check([_request(work, problem, index) for problem, index in wanted if index == 0])
    if file := store.settings().get("source", {}).get("file"):
        raise QprobeError(f"{store.folder} holds the samples of {file}: draw a model's into another run folder.")
    store.settle("benchmark", work.benchmark.name)
    store.settle("errata", errata.described if (errata := errata_of(work.benchmark)) else "")
    store.settle("prompt", work.prompt.identity)
    store.note("stop", work.prompt.stop)
    store.settle("generation", {**engine.identity, "seed": work.seed})
    store.note("source", {"model": engine.name, "complete": True})
    store.add_problems(work.problems)
    there = set(store.sample_ids(greedy=True))
    pending = [(problem, index) for problem, index in wanted if SampleId(problem.id, index) not in there]
    if len(pending) < len(wanted):
        progress.message(f"Generating: {len(wanted) - len(pending):,} of {len(wanted):,} samples are there already.")
    if pending and engine.caveat:
        progress.message(engine.caveat)
    with progress.task("Generating", len(wanted), len(wanted) - len(pending)) as advance:
        _draw(store, engine, work, pending, advance)
    return len(pending)


def _draw(
    store: Store, engine: Engine, work: GenerationPlan, pending: Sequence[tuple[Problem, int]], advance: Advance
) -> None:
    """Keep completions as they come, a few seconds' worth at a time; the last of them also when drawing fails."""
    drawn: list[Completion] = []
    kept = time.monotonic()
    try:
        for position, generated in engine.generate([_request(work, *each) for each in pending]):
            drawn.append(_completion(engine, work, *pending[position], generated))
            if time.monotonic() - kept >= KEEP_SECONDS:
                advance(store.add_completions(drawn))
                drawn, kept = [], time.monotonic()
    finally:
        advance(store.add_completions(drawn))


def _request(work: GenerationPlan, problem: Problem, index: int) -> Request:
    prompt, seed = work.prompt, sample_seed(work.seed, problem.id, index)
    return Request(prompt.render(problem), prompt.stops(problem), seed, greedy=index == GREEDY, chat=prompt.chat)


def _completion(engine: Engine, work: GenerationPlan, problem: Problem, index: int, drawn: Generated) -> Completion:
    return Completion(
        problem_id=problem.id,
        index=index,
        prompt=engine.shown(_request(work, problem, index)),
        text=(text := well_formed(drawn.text)),
        program=work.prompt.extract(problem, text),
        finish_reason=drawn.finish_reason,
        tokens=drawn.tokens,
        logprob=drawn.logprob,
        seed=sample_seed(work.seed, problem.id, index),
        token_ids=drawn.token_ids,
    )
