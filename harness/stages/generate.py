"""Generate: draw k completions per problem from a model, and keep each soon after it has ended."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import Benchmark, Problem
from benchmarks.data_files import well_formed
from benchmarks.errata import errata_of
from benchmarks.prompt import Prompt
from harness.errors import QprobeError
from harness.models.engine import BlockEngine, Embedder, Engine, Generated, Request
from harness.models.seeds import sample_seed
from harness.progress import SILENT, Advance, Progress
from harness.runs.blocks import blocks
from harness.runs.completion import GREEDY, Completion, SampleId
from harness.runs.store import Store
from harness.runs.vector_file import Precision
from harness.stages.capture import Capture
from harness.stages.options import GenerateOptions
from harness.stages.problems import Problems, count_in_splits
from harness.stages.prompts import find_prompt

KEEP_SECONDS = 2.0
"""Completions are committed together, this often: what `kill -9` can lose."""


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """The completions to draw, checked before any weights are read."""

    benchmark: Benchmark
    problems: Sequence[Problem]
    k: int
    seed: int
    prompt: Prompt
    greedy: bool = False  # draw each problem's greedy completion too
    block: int = 0  # samples drawn and kept together, about; 0 keeps each as it comes

    @property
    def indices(self) -> list[int]:
        """The indices of a problem's completions."""
        return [*([GREEDY] if self.greedy else []), *range(self.k)]

    @property
    def wanted(self) -> list[tuple[Problem, int]]:
        """The problem and the index of every completion."""
        return [(problem, index) for problem in self.problems for index in self.indices]

    @property
    def first_requests(self) -> list[Request]:
        """The request of each problem's first sample: what an engine checks, since the others differ in the seed."""
        return [_request(self, problem, 0) for problem in self.problems]


def plan(
    problems: Problems,
    *,
    k: int = GenerateOptions.k,
    seed: int = GenerateOptions.seed,
    prompt: str = GenerateOptions.prompt,
    greedy: bool = GenerateOptions.greedy,
    block: int = GenerateOptions.block,
) -> GenerationPlan:
    """Return the plan of `k` samples per problem. Raises QprobeError for a k below 1 or an unknown prompt."""
    if k < 1:
        raise QprobeError(f"k is the number of samples per problem and must be at least 1, not {k}.")
    chosen = find_prompt(prompt, problems.benchmark)
    return GenerationPlan(problems.benchmark, problems.chosen, k, seed, chosen, greedy, block)


def draw(
    engine: Engine, work: GenerationPlan, pending: Sequence[tuple[Problem, int]] | None = None
) -> Iterator[Completion]:
    """Draw the plan's completions, or those pending alone, and yield each when it has ended, in any order.

    Raises QprobeError for a request that the engine cannot fulfil, before anything is drawn.
    """
    for completion, _ in _drawn(engine, work, work.wanted if pending is None else pending):
        yield completion


def _drawn(
    engine: Engine, work: GenerationPlan, wanted: Sequence[tuple[Problem, int]]
) -> Iterator[tuple[Completion, Generated]]:
    requests = [_request(work, *item) for item in wanted]
    engine.check(requests)
    for position, generated in engine.generate(requests):
        yield _completion(engine, work, *wanted[position], generated), generated


def generate(
    store: Store,
    engine: Engine,
    work: GenerationPlan,
    progress: Progress = SILENT,
    reader: Embedder | None = None,
    precision: Precision = "float32",
) -> int:
    """Draw what the run does not hold yet, and return how many were drawn. What was drawn is kept however this ends.

    Where the engine can capture what `reader` reads, the vectors are kept too.
    Raises QprobeError where the run holds samples of a file, or of other settings.
    """
    engine.check(work.first_requests)
    _settle(store, engine, work)
    total, present = len(work.wanted), set(store.sample_ids(greedy=True))
    pending = [(problem, index) for problem, index in work.wanted if SampleId(problem.id, index) not in present]
    if len(pending) < total:
        progress.message(f"Generating: {total - len(pending):,} of {total:,} samples exist already.")
    if pending and engine.caveat:
        progress.message(engine.caveat)
    with progress.task("Generating", total, total - len(pending)) as advance:
        if pending:
            capture = _capture(store, engine, work, reader, precision)
            if work.block:
                _keep_blocks(store, engine, work, pending, advance, capture)
            else:
                _keep(store, _drawn(engine, work, pending), advance, capture)
    return len(pending)


def count_cut(store: Store) -> int:
    """Return how many of a run's samples end at the token limit."""
    return sum(completion.finish_reason == "length" for completion in store.completions())


def _settle(store: Store, engine: Engine, work: GenerationPlan) -> None:
    """Write down what the samples depend on; refuse a run that was made with anything else."""
    source = store.about.source
    if source and source.file:
        raise QprobeError(f"{store.folder} holds the samples of {source.file}: draw a model's into another run folder.")
    store.settle("benchmark", work.benchmark.name)
    store.settle("errata", errata.described if (errata := errata_of(work.benchmark)) else "")
    store.settle("prompt", work.prompt.identity)
    store.note("stop", work.prompt.stop)
    store.settle("generation", {**engine.identity, "seed": work.seed})
    store.settle("block", work.block)
    store.note("k", work.k)
    store.note("source", {"model": engine.name, "complete": True})
    store.note("benchmark_problems", count_in_splits(work.benchmark, work.problems))
    store.add_problems(work.problems)


def _capture(
    store: Store, engine: Engine, work: GenerationPlan, reader: Embedder | None, precision: Precision
) -> Capture | None:
    """Return what keeps the vectors of `reader` while the engine writes; None where the engine cannot capture them."""
    if reader is None or not engine.capture(reader):
        return None
    return Capture(store, reader, precision, {problem.id: work.prompt.stops(problem) for problem in work.problems})


def _keep(
    store: Store, drawn: Iterator[tuple[Completion, Generated]], advance: Advance, capture: Capture | None
) -> None:
    """Keep completions as they come, a few seconds' worth at a time; the last of them also when drawing fails."""
    batch: list[tuple[Completion, Generated]] = []
    kept = time.monotonic()
    try:
        for one in drawn:
            batch.append(one)
            if time.monotonic() - kept >= KEEP_SECONDS:
                advance(_add(store, batch, capture))
                batch, kept = [], time.monotonic()
    finally:
        advance(_add(store, batch, capture))


def _keep_blocks(
    store: Store,
    engine: Engine,
    work: GenerationPlan,
    pending: Sequence[tuple[Problem, int]],
    advance: Advance,
    capture: Capture | None,
) -> None:
    """Draw and keep one block after another, each whole, with its vectors, or not at all."""
    lacking: dict[str, list[tuple[Problem, int]]] = defaultdict(list)
    for item in pending:
        lacking[item[0].id].append(item)
    parts = (
        [item for problem in block for item in lacking.get(problem.id, ())]
        for block in blocks(work.problems, [work.k] * len(work.problems), work.block)
    )
    for drawn in _drawn_blocks(engine, work, filter(None, parts)):
        with store.together():
            advance(_add(store, sorted(drawn, key=lambda one: one[0].id), capture))


def _drawn_blocks(
    engine: Engine, work: GenerationPlan, parts: Iterable[list[tuple[Problem, int]]]
) -> Iterator[list[tuple[Completion, Generated]]]:
    """Draw blocks, one after the other or several at a time; what a block holds does not depend on that."""
    if isinstance(engine, BlockEngine):
        asked = ((part, [_request(work, *item) for item in part]) for part in parts)
        for part, drawn in engine.generate_blocks(asked):
            yield [(_completion(engine, work, *part[position], one), one) for position, one in drawn]
    else:
        for part in parts:
            yield list(_drawn(engine, work, part))


def _add(store: Store, batch: Sequence[tuple[Completion, Generated]], capture: Capture | None) -> int:
    added = store.add_completions([completion for completion, _ in batch])
    if capture:
        states = {one.id: drawn.states for one, drawn in batch if drawn.states and one.index != GREEDY}
        capture.keep([completion for completion, _ in batch if completion.id in states], states)
    return added


def _request(work: GenerationPlan, problem: Problem, index: int) -> Request:
    prompt, seed = work.prompt, sample_seed(work.seed, problem.id, index)
    return Request(prompt.render(problem), prompt.stops(problem), seed, greedy=index == GREEDY, chat=prompt.chat)


def _completion(engine: Engine, work: GenerationPlan, problem: Problem, index: int, drawn: Generated) -> Completion:
    return Completion(
        problem_id=problem.id,
        index=index,
        prompt=engine.prompt_text(_request(work, problem, index)),
        text=(text := well_formed(drawn.text)),
        program=work.prompt.extract(problem, text),
        finish_reason=drawn.finish_reason,
        tokens=drawn.tokens,
        logprob=drawn.logprob,
        seed=sample_seed(work.seed, problem.id, index),
        token_ids=drawn.token_ids,
        least_logprob=drawn.least_logprob,
        self_certainty=drawn.self_certainty,
    )
