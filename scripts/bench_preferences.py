"""Time and peak memory of `qprobe preferences` on many pairs with wide vectors, which are drawn at random.

    python -m scripts.bench_preferences                            # 40,000 pairs x 4096: the paper's, of a 7B model
    python -m scripts.bench_preferences --pairs 2000 --width 256   # small

Everything is that of the command but the model: pairs are imported and embedded, near-duplicate prompts grouped, probes
cross-validated, and the report written. A vector's first half differs between chosen and rejected replies.
"""

import argparse
import hashlib
import json
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from benchmarks.pairs import open_pairs
from harness.commands.terminal import Terminal
from harness.models.engine import View
from harness.models.tokens import Text, Tokens
from harness.models.vectors import Vectors
from harness.reports.preferences import PreferenceReport, preference_report
from harness.reports.render.numbers import short
from harness.reports.render.preference_files import write_preferences
from harness.runs.store import Store
from harness.stages.options import PreferenceOptions
from harness.stages.preferences import import_pairs, read_replies, run_preferences
from scripts.memory import memory_bytes

VOCABULARY, WORDS = 5_000, 40
SIGNAL = 0.5
"""The distance of chosen from rejected replies, in standard deviations of noise along their direction."""
GOOD = 1
"""The first token of a chosen reply."""


class RandomVectors:
    """An embedder whose vectors are noise, the same for the same text, and a direction for chosen replies."""

    name = "hf:random"
    views = (View(26, "last"),)
    shares_prompts = False

    def __init__(self, width: int) -> None:
        self.width = width
        self.identity = {"fingerprint": f"random-{width}"}
        self._direction_D = np.ones(width, np.float32) / np.sqrt(width)

    def tokenise(self, text: Text) -> Tokens:
        """Return whether the reply is a chosen one, and a number for the text."""
        number = int.from_bytes(hashlib.sha256(f"{text.prompt}{text.text}".encode()).digest()[:4], "big")
        return Tokens([int(" good " in text.text), number], 0, 2, 2, cut=False)

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """Draw the vectors."""
        rows = [self._vector(*tokens.ids) for tokens in samples]
        return np.stack(rows)[:, None]

    def _vector(self, good: int, number: int) -> np.ndarray:
        noise_D = np.random.default_rng(number).standard_normal(self.width, dtype=np.float32)
        return np.asarray(noise_D + SIGNAL * (good == GOOD) * self._direction_D)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the time and the peak of memory of each part."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as name, Store(Path(name) / "run", create=True) as store:
        with measured("pairs imported"):
            import_pairs(store, open_pairs(str(write_pairs(Path(name) / "pairs.jsonl", options.pairs))))
        with measured("vectors written"):
            read_replies(store, RandomVectors(options.width), Terminal(quiet=True))
        with measured("probes cross-validated"):
            run_preferences(store, PreferenceOptions(repeats=options.repeats), Terminal(quiet=True))
        with measured("report written"):
            report = preference_report(store)
            write_preferences(report, store.folder)
    print(summary(report))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = {"pairs": 40_000, "width": 4096, "repeats": None, "threads": 1}
    for name, size in usual.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--folder", type=Path, help="folder for the temporary run")
    return parser.parse_args(arguments)


def write_pairs(path: Path, count: int) -> Path:
    """Write so many pairs of made-up words, in the layout of HH; words are as unequally frequent as in English."""
    rng = random.Random(0)
    vocabulary = [f"w{number}" for number in range(VOCABULARY)]
    weights = [1 / (rank + 1) for rank in range(VOCABULARY)]
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            prompt, chosen, rejected = (" ".join(rng.choices(vocabulary, weights, k=WORDS)) for _ in range(3))
            row = {
                "prompt": f"\n\nHuman: {prompt}?\n\nAssistant:",
                "chosen": f" good {chosen}",
                "rejected": f" {rejected}",
            }
            file.write(json.dumps(row) + "\n")
    return path


@contextmanager
def measured(part: str) -> Iterator[None]:
    """Print what a part took. The peak counts private memory and mapped files."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = os.times()
    yield
    used = [now - then for now, then in zip(os.times(), before, strict=True)]
    wall, cpu = used[-1], sum(used[:-1])  # of this process and of the workers that have ended
    peak = memory_bytes("VmHWM") / 2**30
    print(f"{part}: {wall:.0f} s ({cpu:.0f} s of processor time), peak {peak:.2f} GiB", flush=True)


def summary(report: PreferenceReport) -> str:
    """Return the accuracy of each objective, so that one sees that the probes learnt."""
    learnt = [f"{row.name} {short(row.value)}" for row in report.rows if row.name in report.hyperparameters]
    return f"{report.pairs:,} pairs: accuracy {', '.join(learnt)}"


if __name__ == "__main__":
    main()
