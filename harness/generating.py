"""Generate: draw k completions of every problem from a model, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import Benchmark, Problem
from benchmarks.overlay import overlay_of
from harness.completion import Completion, SampleId
from harness.errors import QprobeError
from harness.models.engine import Engine, Generated, Request
from harness.models.sampling import sample_seed
from harness.store import Store
from harness.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be drawn, checked before any weights are read."""

    benchmark: Benchmark
    problems: Sequence[Problem]
    k: int
    seed: int


def plan(benchmark: Benchmark, *, k: int, seed: int, split: str = "test", limit: int | None = None) -> Plan:
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
    return Plan(benchmark, problems[:limit], k, seed)


def generate(store: Store, engine: Engine, work: Plan, terminal: Terminal) -> int:
    """Draw what the run does not hold yet; every batch is committed as it comes. Returns how many were drawn."""
    engine.check([problem.prompt for problem in work.problems])
    if file := store.settings().get("source", {}).get("file"):
        raise QprobeError(f"{store.folder} holds the samples of {file}: draw a model's into another run folder.")
    store.settle("benchmark", work.benchmark.name)
    store.settle("overlay", overlay.described if (overlay := overlay_of(work.benchmark)) else "")
    store.settle("generation", {**engine.identity, "seed": work.seed})
    store.note("source", {"model": engine.name, "complete": True})
    store.add_problems(work.problems)
    wanted = [(problem, index) for problem in work.problems for index in range(work.k)]
    there = set(store.sample_ids())
    pending = [(problem, index) for problem, index in wanted if SampleId(problem.id, index) not in there]
    if len(pending) < len(wanted):
        terminal.say(f"Generating: {len(wanted) - len(pending):,} of {len(wanted):,} samples are there already.")
    with terminal.progress("Generating", len(wanted), len(wanted) - len(pending)) as advance:
        for batch in _batches(pending, engine.batch_size):
            store.add_completions(_drawn(engine, work, batch))
            advance(len(batch))
    return len(pending)


def _drawn(engine: Engine, work: Plan, batch: Sequence[tuple[Problem, int]]) -> list[Completion]:
    seeds = [sample_seed(work.seed, problem.id, index) for problem, index in batch]
    requests = [Request(problem.prompt, problem.stop, seed) for (problem, _), seed in zip(batch, seeds, strict=True)]
    drawn = engine.generate(requests)
    return [
        _completion(work.benchmark, problem, index, seed, generated)
        for (problem, index), seed, generated in zip(batch, seeds, drawn, strict=True)
    ]


def _completion(benchmark: Benchmark, problem: Problem, index: int, seed: int, drawn: Generated) -> Completion:
    return Completion(
        problem_id=problem.id,
        index=index,
        prompt=problem.prompt,
        text=drawn.text,
        program=benchmark.program(problem, problem.prompt, drawn.text),
        finish_reason=drawn.finish_reason,
        tokens=drawn.tokens,
        logprob=drawn.logprob,
        seed=seed,
    )


def _batches(pending: Sequence[tuple[Problem, int]], size: int) -> Iterator[Sequence[tuple[Problem, int]]]:
    """Prompts of like lengths together: padding is computed and thrown away."""
    ordered = sorted(pending, key=lambda item: -len(item[0].prompt))
    for first in range(0, len(ordered), size):
        yield ordered[first : first + size]
