"""What embedding costs: a prompt computed once beside once a sample, and the hidden states held beside the paper's way.

    python -m scripts.bench_embedding SAMPLES.jsonl.gz      # CodeT's samples of HumanEval; 20 of each problem
    python -m scripts.bench_embedding SAMPLES.jsonl.gz --problems 20 --layers 8 --width 256

The model has random weights and is built on the spot: time depends on its size alone. Both ways read the same tokens
in one run, in turn, and the smaller of two times counts. The paper's code keeps every layer's hidden states of every
token of a problem's samples (`output_hidden_states=True`) until all of them have ended.
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
    """The same model, every sample's prompt computed anew."""

    shares_prompts = False


class Watched(HfEmbedder):
    """Counts, from the shapes of its batches, the most bytes of hidden states that it holds at once."""

    most = 0

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """As ever; the bytes are one layer's states of the batch, and what was pooled of the others."""
        longest = max(len(each.ids) for each in samples)
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
        once, each = min(times["shared"]), min(times["alone"])
        print(
            f"prompt once: {once:.1f} s; prompt a sample: {each:.1f} s of processor time; saved {1 - once / each:.0%}"
        )
        print(f"largest difference between their vectors: {difference(store, shared, alone):.1e}")
        report_memory(store, model, options)


def parse() -> argparse.Namespace:
    """The sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    for name, size in {"problems": 164, "k": 20, "layers": 8, "width": 256}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def samples(folder: Path, options: argparse.Namespace) -> Store:
    """A run with the first k samples of the first problems."""
    with Store(folder / "all", create=True) as whole:
        import_samples(whole, open_benchmark("humaneval"), options.samples)
        problems = whole.problems()[: options.problems]
        kept = {problem.id for problem in problems}
        drawn = [each for each in whole.completions("c.idx < ?", (options.k,)) if each.problem_id in kept]
    store = Store(folder / "some", create=True)
    store.add_problems(problems)
    store.add_completions(drawn)
    return store


def seconds(store: Store, embedder: HfEmbedder) -> float:
    """Processor time (on a GPU: time by the clock) of embedding the run from nothing; the weights are read before."""
    _ = embedder._weights
    forget(store)
    clock = time.process_time if embedder._device == "cpu" else time.perf_counter
    start = clock()
    embedding.embed(store, embedder, QUIET)
    return clock() - start


def forget(store: Store) -> None:
    """Drop all vectors."""
    store._db.execute("DELETE FROM vectors")
    for path in store.folder.glob("vectors-*"):
        path.unlink()


def difference(store: Store, one: HfEmbedder, other: HfEmbedder) -> float:
    """The largest difference between two embedders' vectors, relative to the largest number in them."""
    found = []
    for embedder in (one, other):
        forget(store)
        view = embedding.embed(store, embedder, QUIET).view
        found.append(read_views(store, view, store.sample_ids())[embedder.views[0]])
    return float(np.abs(found[0] - found[1]).max() / np.abs(found[0]).max())


def report_memory(store: Store, model: Path, options: argparse.Namespace) -> None:
    """Bytes of hidden states held at once: ours by the largest batch, the paper's by the largest problem."""
    watched = Watched(f"hf:{model}", device=options.device)
    forget(store)
    embedding.embed(store, watched, QUIET)
    paper = 0
    for problem in store.problems():
        texts = [embedding.as_text(each, problem.stop) for each in store.completions("c.problem_id = ?", (problem.id,))]
        longest = max(len(watched.tokenise(text).ids) for text in texts)
        paper = max(paper, len(texts) * longest * (options.layers + 1) * options.width * 4)
    ours, theirs = watched.most / 2**20, paper / 2**20
    print(f"hidden states held, counted from shapes: ours {ours:.1f} MiB, the paper's {theirs:.1f} MiB", end=" ")
    print(f"({theirs / ours:.1f} x)")


if __name__ == "__main__":
    main()
