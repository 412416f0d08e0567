"""The cost of embedding: prompts computed once per problem or once per sample, and the hidden states in memory.

    python -m scripts.bench_embedding SAMPLES.jsonl.gz      # CodeT's samples of HumanEval; 20 per problem
    python -m scripts.bench_embedding SAMPLES.jsonl.gz --problems 20 --layers 8 --width 256

The model has random weights: time depends on its size alone. Both variants read the same tokens in one run, in turn,
and the smaller of two times counts. The paper's code keeps every layer's hidden states of every token of a problem's
samples (`output_hidden_states=True`) until the last of them has ended.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.registry import open_benchmark
from harness.commands.terminal import Terminal
from harness.models.engine import View
from harness.models.hf.embedder import HfEmbedder
from harness.models.tokens import Tokens
from harness.models.vectors import Vectors
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages import embed as embedding
from harness.stages.import_samples import import_samples
from scripts.random_model import save_random_model

QUIET = Terminal(quiet=True)


class Alone(HfEmbedder):
    """An embedder that computes the prompt again for every sample."""

    shares_prompts = False


class Measured(HfEmbedder):
    """An embedder that computes, from the shapes of its batches, the peak of its hidden states in bytes."""

    most = 0

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """Embed; the bytes are one layer's states of the batch, and the pooled vectors of the others."""
        longest = max(len(tokens.ids) for tokens in samples)
        held = len(samples) * self.width * 4 * (longest + len(views))
        self.most = max(self.most, held)
        return super().embed(samples, views)


def main() -> None:
    """Measure and print."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = save_random_model(folder / "model", options.layers, options.width)
        store = samples(folder / "run", options)
        print(f"{store.count_samples():,} samples, {options.layers} layers of width {options.width}")
        shared, alone = HfEmbedder(f"hf:{model}", device=options.device), Alone(f"hf:{model}", device=options.device)
        times: dict[str, list[float]] = {"shared": [], "alone": []}
        for _ in range(2):
            for title, embedder in (("shared", shared), ("alone", alone)):
                times[title].append(seconds(store, embedder))
        per_problem, per_sample = min(times["shared"]), min(times["alone"])
        print(
            f"prompts once per problem: {per_problem:.1f} s of processor time, once per sample: {per_sample:.1f} s, "
            f"saved {1 - per_problem / per_sample:.0%}"
        )
        print(f"largest difference between their vectors: {difference(store, shared, alone):.1e}")
        report_memory(store, model, options)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    for name, size in {"problems": 164, "k": 20, "layers": 8, "width": 256}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def samples(folder: Path, options: argparse.Namespace) -> Store:
    """Make a run with the first k samples of the first problems."""
    with Store(folder / "all", create=True) as whole:
        import_samples(whole, open_benchmark("humaneval"), options.samples)
        problems = whole.problems()[: options.problems]
        kept = {problem.id for problem in problems}
        first = whole.completions("c.idx < ?", (options.k,))
        drawn = [completion for completion in first if completion.problem_id in kept]
    store = Store(folder / "some", create=True)
    store.add_problems(problems)
    store.add_completions(drawn)
    return store


def seconds(store: Store, embedder: HfEmbedder) -> float:
    """Return the processor time (on a GPU the wall time) of embedding the run, with the weights loaded before."""
    _ = embedder._weights
    forget(store)
    clock = time.process_time if embedder._device == "cpu" else time.perf_counter
    start = clock()
    embedding.embed(store, embedder, QUIET)
    return clock() - start


def forget(store: Store) -> None:
    """Delete all vectors."""
    store._db.execute("DELETE FROM vectors")
    for path in store.folder.glob("vectors-*"):
        path.unlink()


def difference(store: Store, one: HfEmbedder, other: HfEmbedder) -> float:
    """Return the largest difference between two embedders' vectors, relative to the largest number in them."""
    vectors = []
    for embedder in (one, other):
        forget(store)
        view = embedding.embed(store, embedder, QUIET).view
        vectors.append(read_views(store, view, store.sample_ids())[embedder.views[0]])
    return float(np.abs(vectors[0] - vectors[1]).max() / np.abs(vectors[0]).max())


def report_memory(store: Store, model: Path, options: argparse.Namespace) -> None:
    """Print the peak of hidden states: by the largest batch, and by the largest problem as in the paper's code."""
    measured = Measured(f"hf:{model}", device=options.device)
    forget(store)
    embedding.embed(store, measured, QUIET)
    paper = 0
    for problem in store.problems():
        own = store.completions("c.problem_id = ?", (problem.id,))
        texts = [embedding.as_text(completion, problem.stop) for completion in own]
        longest = max(len(measured.tokenise(text).ids) for text in texts)
        paper = max(paper, len(texts) * longest * (options.layers + 1) * options.width * 4)
    own_MiB, paper_MiB = measured.most / 2**20, paper / 2**20
    print(f"peak of hidden states, from shapes: {own_MiB:.1f} MiB, in the paper's code {paper_MiB:.1f} MiB", end=" ")
    print(f"({paper_MiB / own_MiB:.1f} x)")


if __name__ == "__main__":
    main()
