"""Samples per second, generation and embedding together, beside the paper's way, in one run on one machine.

    python -m scripts.bench_generation                        # 24 problems of HumanEval x 20, our tiny model
    python -m scripts.bench_generation --benchmark mini --problems 40
    python -m scripts.bench_generation --random 8x256         # a model of that many layers and that width
    python -m scripts.bench_generation --model hf:Qwen/Qwen2.5-Coder-0.5B --max-new-tokens 300 --device cuda

Ours is the two stages as `qprobe run` has them, the run's files included. The paper's way is a problem at a time:
`generate` with all hidden states kept, until every sequence of the problem has met a stop string, then the states of
one layer at each completion's last token. Both draw the very same samples (checked), by the same random numbers.
A random model ends a completion with every 50th token, on average.

Processor time is what tells on a machine that others use too; it needs one thread, which is the default here.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import numpy as np
import torch
from transformers import GenerationConfig

from benchmarks import Problem
from benchmarks.mini import MODEL
from benchmarks.registry import open_benchmark
from harness.commands.terminal import Terminal
from harness.models.hf import embedder as hf_embedder
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.hf.pooling import Spans, pool
from harness.models.hf.stopping_criteria import RowStops
from harness.models.sampling import Sampling, SeededDraws
from harness.models.seeds import sample_seed
from harness.models.stop_strings import StopFinder
from harness.models.tokens import prompt_ids
from harness.runs.completion import SampleId
from harness.runs.store import Store
from harness.stages.embed import embed
from harness.stages.generate import GenerationPlan, generate
from harness.stages.prompts import find_prompt
from scripts.random_model import VOCABULARY, save_random_model

T = TypeVar("T")
QUIET = Terminal(quiet=True)
MEAN_TOKENS = 50


def main() -> None:
    """Run both and print what they took."""
    options = parse()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        if options.random:
            layers, width = map(int, options.random.split("x"))
            model = save_random_model(Path(folder) / "model", layers, width, ends=VOCABULARY // MEAN_TOKENS)
            options.model = f"hf:{model}"
        measure(Path(folder), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Both ways, with one model."""
    sampling = Sampling(max_new_tokens=options.max_new_tokens)
    engine = HfEngine(options.model, sampling, batch_size=options.batch_size, device=options.device)
    embedder = HfEmbedder(options.model, device=options.device)
    work = workload(engine, options)
    _ = engine._forward, embedder._states  # weights are read and looked at by both, and not timed
    rounds = []
    for number in range(options.rounds):  # in turn, so that what else the machine does meets both
        made = ours(folder / str(number), engine, embedder, work, options.device)
        theirs = [paper(engine, embedder, problem, work, options.device) for problem in work.problems]
        rounds.append((made, theirs))
    describe([made for made, _ in rounds], work)
    compare(rounds)


def parse() -> argparse.Namespace:
    """The sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", default="humaneval")
    parser.add_argument("--model", default=f"hf:{MODEL}")
    parser.add_argument("--random", metavar="LAYERSxWIDTH")
    for name, size in {"problems": 24, "samples": 20, "max-new-tokens": 150, "threads": 1, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def workload(engine: HfEngine, options: argparse.Namespace) -> GenerationPlan:
    """Return a plan with problems from all over the benchmark whose prompts fit the model's context."""
    benchmark = open_benchmark(options.benchmark)
    room = (engine.model.context or sys.maxsize) - options.max_new_tokens
    fitting = [
        problem for problem in benchmark.problems() if len(prompt_ids(engine.model.tokenizer, problem.prompt)) <= room
    ]
    chosen = np.linspace(0, len(fitting) - 1, min(options.problems, len(fitting))).astype(int)
    return GenerationPlan(
        benchmark, [fitting[at] for at in chosen], options.samples, 0, find_prompt("paper", benchmark)
    )


@dataclass(frozen=True)
class Seconds:
    """The time that a piece of work took."""

    wall: float
    cpu: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} s of processor time)"


@dataclass(frozen=True)
class Ours:
    """The samples that our stages made, and their cost."""

    token_ids: dict[SampleId, tuple[int, ...]]
    generating: Seconds
    embedding: Seconds
    unshared: Seconds  # embedding without sharing prompts
    state_bytes: int  # hidden states in memory at once


@dataclass(frozen=True)
class Paper:
    """The samples that the paper's way made of one problem, and their cost."""

    token_ids: dict[SampleId, tuple[int, ...]]
    took: Seconds
    state_bytes: int


class Unshared(HfEmbedder):
    """Computes each sample's prompt anew."""

    shares_prompts = False


def ours(folder: Path, engine: HfEngine, embedder: HfEmbedder, work: GenerationPlan, device: str) -> Ours:
    """Both stages; the embedding once more, with nothing shared, in a separate run."""
    with Store(folder / "run", create=True) as store, Store(folder / "again", create=True) as other:
        _, generating = timed(lambda: generate(store, engine, work, QUIET), device)
        other.add_problems(store.problems())
        other.add_completions(store.completions())
        watched = Watched()
        with mock.patch.object(hf_embedder, "pool", watched):
            _, embedding = timed(lambda: embed(store, embedder, QUIET), device)
        unshared = Unshared(embedder.name, device=device)
        unshared.__dict__["_weights"] = embedder._weights
        _, alone = timed(lambda: embed(other, unshared, QUIET), device)
        ids = {completion.id: completion.token_ids for completion in store.completions()}
    return Ours(ids, generating, embedding, alone, watched.most)


class Watched:
    """Pools, and notes how many bytes of hidden states it was ever given."""

    most = 0

    def __call__(self, states_NTD: torch.Tensor, spans: Spans, pooling: str) -> torch.Tensor:
        self.most = max(self.most, states_NTD.nbytes)
        return pool(states_NTD, spans, pooling)


def paper(engine: HfEngine, embedder: HfEmbedder, problem: Problem, work: GenerationPlan, device: str) -> Paper:
    """One problem: its samples drawn side by side until the last has ended, every hidden state kept."""
    seeds = [sample_seed(work.seed, problem.id, index) for index in range(work.k)]
    prompt = prompt_ids(engine.model.tokenizer, problem.prompt)

    def draw() -> tuple[Any, RowStops]:
        ids = torch.tensor([prompt] * work.k, device=device)
        endings = RowStops(
            engine._end_tokens, [StopFinder(engine._token_text, problem.stop) for _ in seeds], len(prompt)
        )
        out = engine._weights.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                do_sample=False,  # the processor below leaves one token
                max_new_tokens=engine.sampling.max_new_tokens,
                pad_token_id=engine._end_tokens[0],
                output_hidden_states=True,
                return_dict_in_generate=True,
            ),
            logits_processor=[SeededDraws(engine.sampling, seeds, [False] * work.k)],
            stopping_criteria=[endings],
        )
        lengths = [endings.length(row, len(out.hidden_states)) for row in range(work.k)]
        layer = embedder.layers[0]
        vectors = [out.hidden_states[max(0, n - 1)][layer][row, -1].float().cpu() for row, n in enumerate(lengths)]
        assert len(torch.stack(vectors)) == work.k
        return out, endings

    with torch.inference_mode():
        (out, endings), took = timed(draw, device)
    kept = sum(layer.nbytes for step in out.hidden_states for layer in step)
    drawn = out.sequences[:, len(prompt) :].tolist()
    ids = {
        SampleId(problem.id, row): tuple(sequence[: endings.length(row, len(sequence))])
        for row, sequence in enumerate(drawn)
    }
    return Paper(ids, took, kept)


def describe(rounds: Sequence[Ours], work: GenerationPlan) -> None:
    """The samples there are, and how long ours took; the round that took least processor time."""
    made = min(rounds, key=lambda measurement: (measurement.generating + measurement.embedding).cpu)
    lengths_PN = np.array(
        [[len(made.token_ids[SampleId(problem.id, n)]) for n in range(work.k)] for problem in work.problems]
    )
    print(f"{len(work.problems)} problems of {work.benchmark.name} x {work.k} samples, {lengths_PN.sum():,} tokens")
    low, middle, high = np.percentile(lengths_PN, [10, 50, 90])
    print(
        f"  tokens per sample: 10 % {low:.0f}, median {middle:.0f}, 90 % {high:.0f}; "
        f"a problem's mean {lengths_PN.mean():.1f}, its longest {lengths_PN.max(1).mean():.1f}"
    )
    print(f"ours: generation {made.generating}, embedding {made.embedding}")
    print(f"  embedding is {made.embedding.cpu / (made.generating + made.embedding).cpu:.0%} of both")
    saved = 1 - made.embedding.cpu / made.unshared.cpu
    print(f"  embedding with no prompt shared: {made.unshared}; sharing saves {saved:.0%}")


def compare(rounds: Sequence[tuple[Ours, Sequence[Paper]]]) -> None:
    """Both ways side by side: the median of the rounds, and the least and the most."""
    by_cpu, by_clock = [], []
    for made, theirs in rounds:
        mine = made.generating + made.embedding
        total = sum((measurement.took for measurement in theirs), start=Seconds(0.0, 0.0))
        drawn = {sample: ids for measurement in theirs for sample, ids in measurement.token_ids.items()}
        same = sum(made.token_ids[sample] == ids for sample, ids in drawn.items())
        rates = f"{len(drawn) / mine.cpu:.1f} samples per second, the paper's way {len(drawn) / total.cpu:.1f}"
        print(f"ours {mine}, the paper's way {total}; {rates} (processor time); {same} of {len(drawn)} drawn alike")
        by_cpu.append(total.cpu / mine.cpu)
        by_clock.append(total.wall / mine.wall)
    for ratios, of in ((by_cpu, "by processor time"), (by_clock, "by the clock")):
        spread = f"{min(ratios):.1f} to {max(ratios):.1f} in {len(ratios)} rounds"
        print(f"ours is {np.median(ratios):.1f} times as fast {of} ({spread})")
    made, theirs = rounds[0]
    most = max(measurement.state_bytes for measurement in theirs)
    print(
        f"hidden states in memory: ours {made.state_bytes / 1e6:.2f} MB, the paper's way {most / 1e6:.2f} MB, "
        f"{most / made.state_bytes:.0f} times as many"
    )


def timed(work: Callable[[], T], device: str) -> tuple[T, Seconds]:
    """Return the result of the work, and the time it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return result, Seconds(time.perf_counter() - wall, time.process_time() - cpu)


if __name__ == "__main__":
    main()
