"""Memory of embedding many samples with a wide model, which must not grow with their number.

    python -m scripts.bench_memory                       # 100,000 samples, 4096 wide, 3 layers: about 5 GB of vectors
    python -m scripts.bench_memory --samples 10000 --width 1024

The model has hidden states as wide as those of a 7B one, and small random weights, so that the memory of the harness
dominates: the store, the batches, the writing. The figures are the private memory of the process, without mapped or
cached files.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import Problem
from harness.commands.terminal import Terminal
from harness.models.engine import View
from harness.models.hf.embedder import HfEmbedder
from harness.models.tokens import Tokens
from harness.models.vectors import Vectors
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.runs.vector_store import open_shard
from harness.stages.embed import embed
from scripts.memory import memory_bytes
from scripts.random_model import save_random_model

SAMPLES_PER_PROBLEM = 200
STEPS = 10


class Measured(HfEmbedder):
    """An embedder that records the memory of the process after each batch."""

    seen: list[tuple[int, float]]  # samples read so far, MiB

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """Embed, and record the memory."""
        vectors = super().embed(samples, views)
        read = self.seen[-1][0] if self.seen else 0
        self.seen.append((read + len(samples), memory_bytes("RssAnon") / 2**20))
        return vectors


def main() -> None:
    """Embed and print the memory over the samples."""
    options = parse()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        model = save_random_model(Path(name) / "model", 4, options.width, inner=8, head_width=8)
        store = samples(Path(name) / "run", options.samples)
        embedder = Measured(f"hf:{model}", layers="1,2,3", device="cpu")
        embedder.seen = []
        start = time.perf_counter()
        view = embed(store, embedder, Terminal(quiet=True), options.precision).view
        seconds = time.perf_counter() - start
        (key,) = store.settings()[f"view {view}"]["shards"]
        shard = open_shard(store, key)
        print(f"{options.samples:,} samples x {shard.file.shape} as {options.precision}: {seconds:.0f} s")
        print(f"  {shard.file.path.stat().st_size / 2**30:.2f} GiB of vectors on disk")
    report(embedder.seen)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, size in {"samples": 100_000, "width": 4096, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--precision", choices=["float32", "float16"], default="float32")
    parser.add_argument("--folder", type=Path, help="folder for the temporary run")
    return parser.parse_args()


def samples(folder: Path, count: int) -> Store:
    """Make a run of so many different samples of 5 to 15 tokens, 200 per problem."""
    store = Store(folder, create=True)
    for first in range(0, count, SAMPLES_PER_PROBLEM):
        problem = Problem(f"M/{first}", f"def f{first}(x):\n", f"f{first}", "assert True")
        store.add_problems([problem])
        drawn = []
        for n in range(min(SAMPLES_PER_PROBLEM, count - first)):
            body = f"    return x + {n} * {first}{' + x' * (n % 6)}\n"
            drawn.append(Completion(problem.id, n, problem.prompt, body, problem.prompt + body))
        store.add_completions(drawn)
    return store


def report(seen: Sequence[tuple[int, float]]) -> None:
    """Print the peak of memory in each tenth of the samples."""
    total = seen[-1][0]
    most = [0.0] * STEPS
    for read, mebibytes in seen:
        tenth = min(STEPS - 1, read * STEPS // (total + 1))
        most[tenth] = max(most[tenth], mebibytes)
    print("peak of memory in each tenth of the samples, MiB:", " ".join(f"{peak:.0f}" for peak in most))
    print(f"last tenth / second tenth: {most[-1] / most[1]:.3f}, {most[-1] - most[1]:+.0f} MiB")


if __name__ == "__main__":
    main()
