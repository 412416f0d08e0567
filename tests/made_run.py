"""Finished runs without a model or a sandbox: verdicts and vectors are invented, to test the later stages alone."""

import random
from collections.abc import Callable

import numpy as np

from benchmarks import Problem
from harness.probes.samples import View
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.runs.vector_store import EmbeddingSpec
from sandbox import Outcome, Status

WIDTH = 8


def plain(problem: int, sample: int) -> str:
    """Return a harmless program; pairs of samples share one."""
    return f"def f():\n    return {sample // 2}\n"


def fill(
    store: Store,
    *,
    problems: int = 12,
    samples: int = 6,
    signal: float = 8.0,
    program: Callable[[int, int], str] = plain,
    name: str = "M/",
    detail: str = "assert f()",
    layers: int = 1,
) -> None:
    """Fill a store with verdicts and noise vectors, whose first number separates passes from failures by `signal`."""
    store.settle("benchmark", "made")
    store.note("source", {"file": "made.jsonl", "sha256": "", "complete": True})
    store.add_problems(Problem(f"{name}{p}", "def f():\n", "f", "assert f()") for p in range(problems))
    completions = [
        Completion(f"{name}{p}", n, "def f():\n", "", program(p, n)) for p in range(problems) for n in range(samples)
    ]
    random.Random(3).shuffle(completions)  # the order in which rows come must not matter
    store.add_completions(completions)
    passes = {c.id: (c.index + int(c.problem_id[len(name) :])) % 3 == 0 for c in completions}
    fail = Outcome(Status.FAILED, detail, 0.01, 0.02)
    store.add_verdicts("g", {i: Outcome(Status.PASSED, "", 0.01, 0.02) if ok else fail for i, ok in passes.items()})
    vectors = np.random.default_rng(0).standard_normal((len(completions), layers, WIDTH)).astype(np.float32)
    for row, completion in enumerate(completions):
        vectors[row, -1, 0] += signal * passes[completion.id]
    spec = EmbeddingSpec({"fingerprint": "made"}, tuple(View(layer, "last") for layer in range(1, layers + 1)), WIDTH)
    (shard,) = spec.shards(store)
    shard.file.write(0, vectors)
    store.add_vector_rows({shard.key: {completion.id: row for row, completion in enumerate(completions)}})
    about = {"embedder": "made", "views": spec.views, "shards": [shard.key]}
    for key, value in (("view v", about), ("view", "v"), ("grader", "g")):
        store.note(key, value)
