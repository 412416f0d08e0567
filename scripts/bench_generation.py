"""Samples per second, generation and embedding together, beside the paper's way, in one run on one machine.

    python -m scripts.bench_generation                        # 24 problems of HumanEval x 20, our tiny model
    python -m scripts.bench_generation --benchmark mini --problems 40
    python -m scripts.bench_generation --random 8x256         # a model of that many layers and that width
    python -m scripts.bench_generation --model hf:Qwen/Qwen2.5-Coder-0.5B --max-new-tokens 300 --device cuda
    python -m scripts.bench_generation --model hf:FOLDER --servers openai:NAME,url=http://localhost:8000/v1,n=20

Ours is the two stages as `qprobe run` has them, the run's files included: vectors are captured while the model writes.
The paper's way is a problem at a time:
`generate` with all hidden states kept, until every sequence of the problem has met a stop string, then the states of
one layer at each completion's last token. Both draw by the same random numbers: the same samples, to rounding.
A random model ends a completion with every 50th token, on average. Plain `generate` batches across problems and draws
other samples, without vectors; the bound is the time of the model's matrix products alone, with as many rows as ours.
So does a server of vLLM, llama.cpp or another that runs on this machine with the same number of threads.

Processor time is what tells on a machine that others use too; it needs one thread, which is the default here.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.mini import MODEL
from benchmarks.registry import open_benchmark
from harness.commands.terminal import Terminal
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.models.tokens import prompt_ids
from harness.runs.completion import SampleId
from harness.runs.store import Store
from harness.stages.embed import embed
from harness.stages.generate import GenerationPlan, generate
from harness.stages.prompts import find_prompt
from scripts.generation_baselines import Paper, Plain, Seconds, Served, paper, plain, product_rate, served, timed
from scripts.random_model import VOCABULARY, save_random_model

QUIET = Terminal(quiet=True)
MEAN_TOKENS = 50
READ_ROWS = 1024
"""About the tokens in a batch of a second pass."""


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


@dataclass(frozen=True)
class Models:
    """One model, read three times: to write, to write and capture, and to read."""

    bare: HfEngine
    engine: HfEngine
    embedder: HfEmbedder


def open_models(options: argparse.Namespace) -> Models:
    """Return the models with their weights read, which is not timed."""
    sampling = Sampling(max_new_tokens=options.max_new_tokens)
    engines = [
        HfEngine(options.model, sampling, batch_size=options.batch_size, device=options.device) for _ in range(2)
    ]
    embedder = HfEmbedder(options.model, layers=options.layers, pooling=options.pooling, device=options.device)
    engines[1].capture(embedder)
    _ = engines[0]._forward, engines[1]._forward, embedder._states
    return Models(engines[0], engines[1], embedder)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Every way, with one model, in turn: what else the machine does meets all."""
    models = open_models(options)
    work, device = workload(models.bare, options), options.device
    rounds, plains, servers = [], [], []
    for number in range(options.rounds):
        made = ours(folder / str(number), models, work, device)
        theirs = [paper(models.bare, models.embedder, problem, work, device) for problem in work.problems]
        plains += [plain(models.bare, work, rows, device) for rows in options.plain]
        servers += [served(spec, work, models.bare.sampling) for spec in options.servers]
        rounds.append((made, theirs))
    describe([made for made, _ in rounds], work)
    compare_paper(rounds)
    rows = models.bare.batch_size
    compare_rates([made for made, _ in rounds], plains, product_rate(models.bare._weights, rows), rows, servers)
    prompts = sum(len(prompt_ids(models.bare.model.tokenizer, problem.prompt)) for problem in work.problems)
    compare_reading([made for made, _ in rounds], prompts, reading_rate(models.embedder))


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
    parser.add_argument("--layers", help="layers whose states are read, as in qprobe embed")
    parser.add_argument("--pooling")
    parser.add_argument("--servers", nargs="*", default=[], metavar="openai:NAME,url=...", help="needs psutil")
    parser.add_argument("--plain", type=int, nargs="*", default=[20, 80], help="batch sizes of plain generate")
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
class Ours:
    """The samples that our stages made, and their cost."""

    token_ids: dict[SampleId, tuple[int, ...]]
    bare: Seconds  # generation without vectors
    generating: Seconds  # generation that captures them
    embedding: Seconds  # what was not captured
    second_pass: Seconds  # all vectors by a second pass, as for the samples of another model

    @property
    def took(self) -> Seconds:
        """Samples and vectors."""
        return self.generating + self.embedding

    @property
    def tokens(self) -> int:
        """The number of tokens drawn."""
        return sum(map(len, self.token_ids.values()))


def ours(folder: Path, models: Models, work: GenerationPlan, device: str) -> Ours:
    """Both stages, the vectors captured on the way, and both without."""
    with Store(folder / "bare", create=True) as store:
        _, bare = timed(lambda: generate(store, models.bare, work, QUIET), device)
        _, second = timed(lambda: embed(store, models.embedder, QUIET), device)
    with Store(folder / "run", create=True) as store:
        _, generating = timed(lambda: generate(store, models.engine, work, QUIET, models.embedder), device)
        _, embedding = timed(lambda: embed(store, models.embedder, QUIET), device)
        ids = {completion.id: completion.token_ids for completion in store.completions()}
    return Ours(ids, bare, generating, embedding, second)


def describe(rounds: Sequence[Ours], work: GenerationPlan) -> None:
    """The samples there are, and how long ours took; the round that took least processor time."""
    made = min(rounds, key=lambda measurement: measurement.took.cpu)
    lengths_PN = np.array(
        [[len(made.token_ids[SampleId(problem.id, n)]) for n in range(work.k)] for problem in work.problems]
    )
    print(f"{len(work.problems)} problems of {work.benchmark.name} x {work.k} samples, {lengths_PN.sum():,} tokens")
    low, middle, high = np.percentile(lengths_PN, [10, 50, 90])
    print(
        f"  tokens per sample: 10 % {low:.0f}, median {middle:.0f}, 90 % {high:.0f}; "
        f"a problem's mean {lengths_PN.mean():.1f}, its longest {lengths_PN.max(1).mean():.1f}"
    )
    print(f"ours: generation {made.generating}, embedding what was not captured {made.embedding}")
    overheads = [measurement.generating.cpu / measurement.bare.cpu - 1 for measurement in rounds]
    print(f"  capturing costs {np.median(overheads):+.1%} of generation without it ({made.bare})")
    print(f"  a second pass over all samples: {made.second_pass}")


def compare_rates(
    rounds: Sequence[Ours], plains: Sequence[Plain], bound: float, rows: int, servers: Sequence[Served]
) -> None:
    """Tokens per second of generation alone, beside plain `generate`, servers and the matrix products."""
    rate = float(np.median([made.tokens / made.bare.cpu for made in rounds]))
    print(f"generation: ours {rate:.0f} tokens per second of processor time with {rows} rows")
    for each in plains:
        theirs = each.tokens / each.took.cpu
        print(f"  plain generate, {each.rows} rows: {theirs:.0f}; ours is {rate / theirs:.1f} times as fast")
    for server in servers:
        theirs = server.tokens / server.took.cpu
        print(f"  {server.name}: {theirs:.0f}, {server.tokens:,} tokens; ours is {rate / theirs:.1f} times as fast")
    print(f"  matrix products alone, {rows} rows: {bound:.0f}; ours reaches {rate / bound:.0%}")


def reading_rate(embedder: HfEmbedder) -> float:
    """Return the tokens per second that the matrix products of the layers up to the highest wanted one allow."""
    return product_rate(embedder._weights, READ_ROWS) * embedder.model.layers / max(embedder.layers)


def compare_reading(rounds: Sequence[Ours], prompt_tokens: int, bound: float) -> None:
    """Tokens per second of a second pass, each prompt read once, beside the matrix products of the layers it needs."""
    rate = max((prompt_tokens + made.tokens) / made.second_pass.cpu for made in rounds)
    print(f"second pass: {rate:.0f} tokens per second of processor time, prompts read once")
    print(f"  matrix products alone, {READ_ROWS} rows: {bound:.0f}; ours reaches {rate / bound:.0%}")


def compare_paper(rounds: Sequence[tuple[Ours, Sequence[Paper]]]) -> None:
    """Both ways side by side: the median of the rounds, and the least and the most."""
    by_cpu, by_clock = [], []
    for made, theirs in rounds:
        mine = made.took
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
    most = max(measurement.state_bytes for measurement in rounds[0][1])
    print(f"the paper's way holds {most / 1e6:,.0f} MB of hidden states at once")


if __name__ == "__main__":
    main()
