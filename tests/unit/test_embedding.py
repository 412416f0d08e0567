"""The embedding of a run: nothing twice, nothing lost, more layers and more samples at the price of what is new."""

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import Problem
from benchmarks.extraction import cut_at
from harness import embedding
from harness.completion import Completion, SampleId
from harness.embedding import as_text, embed
from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf_embedder import HfEmbedder
from harness.models.hf_engine import HfEngine
from harness.models.sampling import Sampling
from harness.models.tokens import Tokens
from harness.probes.samples import View
from harness.shelves import open_shelf, read_views
from harness.store import Store
from harness.terminal import Terminal
from harness.vectors import Floats, VectorFile

QUIET = Terminal(quiet=True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Six problems of eight samples, every two of which are the same."""
    store = Store(tmp_path / "run", create=True)
    store.add_problems([Problem(f"T/{n}", f"def f{n}():\n", "f", "assert True") for n in range(6)])
    add_samples(store, range(8))
    return store


def add_samples(store: Store, indices: Sequence[int]) -> None:
    store.add_completions(
        Completion(f"T/{n}", i, f"def f{n}():\n", "", f"def f{n}():\n    return {'1' * (i // 2 + n)}\n")
        for n in range(6)
        for i in indices
    )


def all_vectors(store: Store, view: str) -> dict[SampleId, bytes]:
    """The bytes of every sample's vectors."""
    (key,) = store.settings()[f"view {view}"]["shelves"]
    vectors = open_shelf(store, key).file.read()
    return {sample: vectors[row].tobytes() for sample, row in store.vector_rows(key).items()}


class Watched(HfEmbedder):
    """An embedder that counts, and that is stopped by ^C after some batches."""

    left = 10**9
    samples = 0

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Floats:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.samples += len(samples)
        return super().embed(samples, views)


@pytest.mark.parametrize("shared_from", [4, 99])
def test_an_embedding_that_was_interrupted_goes_on_to_the_same_bits(
    store: Store, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, shared_from: int
):
    monkeypatch.setattr(embedding, "BATCH_TOKENS", 60)
    monkeypatch.setattr(embedding, "SHARED_FROM", shared_from)
    embedder = Watched(f"hf:{tiny_llama}", device="cpu")
    view = embed(store, embedder, QUIET).view
    whole, batches = all_vectors(store, view), 10**9 - embedder.left
    assert len(whole) == 48
    assert batches > 6
    (key,) = store.settings()[f"view {view}"]["shelves"]
    assert len(set(store.vector_rows(key).values())) == 24, "equal programs of a problem share their vectors"
    for committed in range(1, batches):
        store._db.execute("DELETE FROM vectors")
        open_shelf(store, key).file.path.unlink()
        embedder.left = committed
        with pytest.raises(KeyboardInterrupt):
            embed(store, embedder, QUIET)
        assert 0 < len(store.vector_rows(key)) < 48
        embedder.left = 10**9
        done = embed(store, embedder, QUIET)
        assert (done.new > 0, done.new + done.reused) == (True, 48)
        assert all_vectors(store, view) == whole


def test_more_layers_write_the_new_ones_alone(store: Store, tiny_llama: Path):
    one = embed(store, Watched(f"hf:{tiny_llama}", layers="1", device="cpu"), QUIET)
    two = embed(store, Watched(f"hf:{tiny_llama}", layers="1,2", pooling="last,mean", device="cpu"), QUIET)
    assert (one.view != two.view, two.new) == (True, 48)
    first, second = (open_shelf(store, key) for key in store.settings()[f"view {two.view}"]["shelves"])
    assert first.views == (View(1, "last"),)
    assert second.views == (View(1, "mean"), View(2, "last"), View(2, "mean"))
    at_once = Store(store.folder.with_name("at-once"), create=True)
    at_once.add_problems(store.problems())
    at_once.add_completions(store.completions())
    whole = embed(at_once, Watched(f"hf:{tiny_llama}", layers="1,2", pooling="last,mean", device="cpu"), QUIET)
    ids = store.sample_ids()
    found, expected = read_views(store, two.view, ids), read_views(at_once, whole.view, ids)
    assert list(found) == list(expected)
    for view, rows in expected.items():
        np.testing.assert_array_equal(found[view], rows)


def test_what_is_there_is_not_embedded_again(store: Store, tiny_llama: Path):
    both = Watched(f"hf:{tiny_llama}", layers="1,2", device="cpu")
    assert embed(store, both, QUIET).new == 48
    fewer = Watched(f"hf:{tiny_llama}", layers="2", device="cpu")
    done = embed(store, fewer, QUIET)
    assert (done.new, done.reused, fewer.samples) == (0, 48, 0), "a part of what is there"
    before = read_views(store, done.view, store.sample_ids())[View(2, "last")]
    add_samples(store, [8, 9])
    done = embed(store, fewer, QUIET)
    assert (done.new, done.reused, fewer.samples) == (12, 48, 6), "the new samples, of which two and two are the same"
    after = read_views(store, done.view, store.sample_ids())[View(2, "last")]
    np.testing.assert_array_equal(after.reshape(6, 10, -1)[:, :8], before.reshape(6, 8, -1))
    assert embed(store, both, QUIET).new == 0, "the shelf was filled with both its layers"


def test_half_precision_is_half_the_file(store: Store, tiny_llama: Path):
    embedder = HfEmbedder(f"hf:{tiny_llama}", device="cpu")
    views = [embed(store, embedder, QUIET, precision).view for precision in ("float32", "float16")]
    (whole, half) = (read_views(store, view, store.sample_ids())[embedder.views[0]] for view in views)
    assert half.dtype == whole.dtype == np.float32
    np.testing.assert_allclose(half, whole, rtol=1e-3, atol=1e-4)
    sizes = {path.suffix: path.stat().st_size for path in store.folder.glob("vectors-*")}
    assert sizes[".f32"] == 2 * sizes[".f16"]


def test_numbers_that_half_precision_cannot_hold_are_refused(tmp_path: Path):
    file = VectorFile(tmp_path / "v.f16", (1, 2), "float16")
    file.write(0, np.array([[[65504.0, -1.0]]], dtype=np.float32))
    with pytest.raises(QprobeError, match="embed with --precision float32"):
        file.write(1, np.array([[[1.0, 70000.0]]], dtype=np.float32))
    assert file.read().shape == (1, 1, 2)


def test_samples_without_vectors_are_named(store: Store, tiny_llama: Path):
    view = embed(store, HfEmbedder(f"hf:{tiny_llama}", device="cpu"), QUIET).view
    add_samples(store, [8])
    with pytest.raises(QprobeError, match="6 samples have no vectors yet"):
        read_views(store, view, store.sample_ids())


@pytest.mark.parametrize(
    ("text", "program", "ids", "read"),
    [
        ("  return 1\n\ndef g", "p  return 1\n", (), ("  return 1\n", "\ndef")),
        ("  return 1\n\ndef g", "p  return 1\n", (1, 2), ("  return 1\n", "\ndef")),
        ("  return 1\n", "p  return 1\n", (1,), ("  return 1\n", "")),
        ("x = 1\n\ndef g", "x = 1\n", (), ("x = 1\n", "\ndef")),
        ("So:\n```python\nx = 1\n```", "x = 1\n", (1, 2), ("So:\n```python\nx = 1\n```", "")),
        ("", "p  return 1\n", (), ("  return 1\n", "")),
        ("\ndef g", "p", (), ("", "\ndef")),
    ],
)
def test_what_is_read_of_a_completion(text: str, program: str, ids: tuple[int, ...], read: tuple[str, str]):
    completion = Completion("a", 0, "p", text, program, token_ids=ids)
    found = as_text(completion, ("\nclass", "\ndef"))
    assert (found.completion, found.stop_string, found.token_ids) == (*read, ids)


def test_tokens_are_read_as_they_were_drawn(tmp_path: Path, tiny_llama: Path):
    """A completion drawn by the engine is embedded over the engine's own tokens, those of its stop string too."""
    problem = Problem("T/0", "def f():\n", "f", "assert True", stop=("e", "7"))
    store = Store(tmp_path / "run", create=True)
    engine = HfEngine(f"hf:{tiny_llama}", Sampling(temperature=1.5, max_new_tokens=30), device="cpu")
    requests = [Request(problem.prompt, problem.stop, seed) for seed in range(12)]
    drawn = [generated for _, generated in sorted(engine.generate(requests), key=itemgetter(0))]
    store.add_problems([problem])
    store.add_completions(
        Completion("T/0", i, problem.prompt, each.text, problem.prompt + cut_at(each.text, problem.stop))
        for i, each in enumerate(drawn)
    )
    embedder = HfEmbedder(f"hf:{tiny_llama}", layers="-1", pooling="last,after-stop", device="cpu")
    plain = embedder.model.tokenizer
    for completion, each in zip(store.completions(), drawn, strict=True):
        tokens = embedder.tokenise(as_text(replace(completion, token_ids=each.token_ids), problem.stop))
        assert tokens.ids == [*plain(problem.prompt).input_ids, *each.token_ids]
        if each.finish_reason == "stop":
            assert tokens.end < tokens.stop == len(tokens.ids)
