"""Memory of embedding many samples of a wide model: it must not grow with their number.

    python -m scripts.bench_memory                       # 100,000 samples, 4096 wide, 3 layers: about 5 GB of vectors
    python -m scripts.bench_memory --samples 10000 --width 1024

The model has the hidden states of a 7B one, and random weights between them that are small, so that it is the
harness's memory that counts: the store, the batches, the writing. What is printed is the memory that belongs to the
process alone, without files that are mapped or cached.
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

SAMPLES_A_PROBLEM = 200
STEPS = 10


class Watched(HfEmbedder):
    """Notes the process's memory after each batch, beside the samples that were read so far."""

    seen: list[tuple[int, float]]

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """As ever."""
        found = super().embed(samples, views)
        read = self.seen[-1][0] if self.seen else 0
        self.seen.append((read + len(samples), memory_bytes("RssAnon") / 2**20))
        return found


def main() -> None:
    """Embed and print the memory along the way."""
    options = parse()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        model = save_random_model(Path(name) / "model", 4, options.width, inner=8, head_width=8)
        store = samples(Path(name) / "run", options.samples)
        embedder = Watched(f"hf:{model}", layers="1,2,3", device="cpu")
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
    """The sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, size in {"samples": 100_000, "width": 4096, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--precision", choices=["float32", "float16"], default="float32")
    parser.add_argument("--folder", type=Path, help="where the run goes for the time being")
    return parser.parse_args()


def samples(folder: Path, count: int) -> Store:
    """A run of so many different samples, 200 a problem, of 5 to 15 tokens."""
    store = Store(folder, create=True)
    for first in range(0, count, SAMPLES_A_PROBLEM):
        problem = Problem(f"M/{first}", f"def f{first}(x):\n", f"f{first}", "assert True")
        store.add_problems([problem])
        drawn = []
        for n in range(min(SAMPLES_A_PROBLEM, count - first)):
            body = f"    return x + {n} * {first}{' + x' * (n % 6)}\n"
            drawn.append(Completion(problem.id, n, problem.prompt, body, problem.prompt + body))
        store.add_completions(drawn)
    return store


def report(seen: Sequence[tuple[int, float]]) -> None:
    """The most memory in each tenth of the samples."""
    total = seen[-1][0]
    most = [0.0] * STEPS
    for read, mebibytes in seen:
        tenth = min(STEPS - 1, read * STEPS // (total + 1))
        most[tenth] = max(most[tenth], mebibytes)
    print("most memory of the process in each tenth of the samples, MiB:", " ".join(f"{each:.0f}" for each in most))
    print(f"the last tenth's beside the second's: {most[-1] / most[1]:.3f} times, {most[-1] - most[1]:+.0f} MiB")


if __name__ == "__main__":
    main()
