"""The embedding of a run: nothing twice, nothing lost, and more layers or samples cost only what is new."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import Problem
from benchmarks.extraction import cut_at
from harness.commands.terminal import Terminal
from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.models.tokens import Text, Tokens
from harness.models.vectors import Vectors
from harness.probes.samples import View
from harness.progress import Advance, Silent
from harness.runs.completion import GREEDY, Completion, SampleId
from harness.runs.store import Store
from harness.runs.vector_file import VectorFile
from harness.runs.vector_store import open_shard, read_views
from harness.stages import embed as embedding
from harness.stages.embed import Item, as_text, embed, embed_completions

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
    (key,) = store.settings()[f"view {view}"]["shards"]
    vectors = open_shard(store, key).file.read()
    return {sample: vectors[row].tobytes() for sample, row in store.vector_rows(key).items()}


class Watched(HfEmbedder):
    """An embedder that counts, and that is stopped by ^C after some batches."""

    left = 10**9
    samples = 0

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
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
    (key,) = store.settings()[f"view {view}"]["shards"]
    assert len(set(store.vector_rows(key).values())) == 24, "equal programs of a problem share their vectors"
    for committed in range(1, batches):
        store._db.execute("DELETE FROM vectors")
        open_shard(store, key).file.path.unlink()
        embedder.left = committed
        with pytest.raises(KeyboardInterrupt):
            embed(store, embedder, QUIET)
        assert 0 < len(store.vector_rows(key)) < 48
        embedder.left = 10**9
        done = embed(store, embedder, QUIET)
        assert (done.new > 0, done.new + done.reused) == (True, 48)
        assert all_vectors(store, view) == whole


def test_vectors_that_are_not_finite_are_not_stored(store: Store, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch):
    """Of any embedder; batches before them are kept."""

    class Broken(Watched):
        def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
            return np.full_like(super().embed(samples, views), np.nan if self.left < 10**9 - 2 else 1.0)

    monkeypatch.setattr(embedding, "BATCH_TOKENS", 60)
    with pytest.raises(QprobeError, match="hold NaN or infinity: choose another"):
        embed(store, Broken(f"hf:{tiny_llama}", device="cpu"), QUIET)
    (file,) = store.folder.rglob("*.f32")
    assert np.isfinite(np.fromfile(file, "<f4")).all()


def test_nan_is_refused_without_a_run_too(store: Store, tiny_llama: Path):
    class Broken(Watched):
        def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
            return np.full_like(super().embed(samples, views), np.nan)

    stops = dict.fromkeys((problem.id for problem in store.problems()), ())
    with pytest.raises(QprobeError, match="hold NaN or infinity: choose another"):
        embed_completions(list(store.completions()), Broken(f"hf:{tiny_llama}", device="cpu"), stops)


def test_more_layers_write_the_new_ones_alone(store: Store, tiny_llama: Path):
    one = embed(store, Watched(f"hf:{tiny_llama}", layers="1", device="cpu"), QUIET)
    two = embed(store, Watched(f"hf:{tiny_llama}", layers="1,2", pooling="last,mean", device="cpu"), QUIET)
    assert (one.view != two.view, two.new) == (True, 48)
    first, second = (open_shard(store, key) for key in store.settings()[f"view {two.view}"]["shards"])
    assert first.views == (View(1, "last"),)
    assert second.views == (View(1, "mean"), View(2, "last"), View(2, "mean"))
    at_once = Store(store.folder.with_name("at-once"), create=True)
    at_once.add_problems(store.problems())
    at_once.add_completions(store.completions())
    whole = embed(at_once, Watched(f"hf:{tiny_llama}", layers="1,2", pooling="last,mean", device="cpu"), QUIET)
    ids = store.sample_ids()
    actual, expected = read_views(store, two.view, ids), read_views(at_once, whole.view, ids)
    assert list(actual) == list(expected)
    for view, rows in expected.items():
        np.testing.assert_array_equal(actual[view], rows)


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
    assert embed(store, both, QUIET).new == 0, "the shard was filled with both its layers"


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


def test_greedy_completions_are_neither_embedded_nor_counted(store: Store, tiny_llama: Path):
    """They are no part of the k samples: an embedding that counted them would never be complete."""
    store.add_completions(Completion(f"T/{n}", GREEDY, f"def f{n}():\n", "", f"def f{n}():\n") for n in range(6))
    embedder = HfEmbedder(f"hf:{tiny_llama}", device="cpu")
    bar = Bar()
    first = embed(store, embedder, bar)
    assert (first.new, first.reused) == (48, 0)
    assert bar.tasks == [("Embedding", 48, 48)]
    second = embed(store, embedder, bar)
    assert (second.new, second.reused) == (0, 48)
    assert len(bar.tasks) == 1, "nothing is left to do"
    assert set(store.vector_rows(store.settings()[f"view {first.view}"]["shards"][0])) == set(store.sample_ids())


class Bar(Silent):
    """Keeps each task's title, total, and what it has come to."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int, int]] = []

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Advance]:
        def advance(count: int = 1, note: str = "", more: int = 0) -> None:
            nonlocal done, total
            done, total = done + count, total + more

        yield advance
        self.tasks.append((title, total, done))


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
    reading = as_text(completion, ("\nclass", "\ndef"))
    assert (reading.completion, reading.stop_string, reading.token_ids) == (*read, ids)


def test_tokens_are_read_as_they_were_drawn(tmp_path: Path, tiny_llama: Path):
    """A completion drawn by the engine is embedded over the engine's own tokens, those of its stop string too."""
    problem = Problem("T/0", "def f():\n", "f", "assert True", stop=("e", "7"))
    store = Store(tmp_path / "run", create=True)
    engine = HfEngine(f"hf:{tiny_llama}", Sampling(temperature=1.5, max_new_tokens=30), device="cpu")
    requests = [Request(problem.prompt, problem.stop, seed) for seed in range(12)]
    drawn = [generated for _, generated in sorted(engine.generate(requests), key=itemgetter(0))]
    store.add_problems([problem])
    store.add_completions(
        Completion("T/0", i, problem.prompt, generated.text, problem.prompt + cut_at(generated.text, problem.stop))
        for i, generated in enumerate(drawn)
    )
    embedder = HfEmbedder(f"hf:{tiny_llama}", layers="-1", pooling="last,after-stop", device="cpu")
    plain = embedder.model.tokenizer
    for completion, generated in zip(store.completions(), drawn, strict=True):
        tokens = embedder.tokenise(as_text(replace(completion, token_ids=generated.token_ids), problem.stop))
        assert tokens.ids == [*plain(problem.prompt).input_ids, *generated.token_ids]
        if generated.finish_reason == "stop":
            assert tokens.end < tokens.stop == len(tokens.ids)


def item(length: int, start: int = 10) -> Item:
    text = Text.of("p", "x" * length)
    return Item(text, Tokens([7] * (start + length), start, start + length, start + length, cut=False), ())


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_batches_hold_everything_once_and_little_padding(lengths: list[int]):
    items = [item(length) for length in lengths]
    batches = list(embedding._of_similar_lengths(items, shared=10))
    assert sorted(id(entry) for batch in batches for entry in batch) == sorted(map(id, items))
    for batch in batches:
        longest = max(len(entry.tokens.ids) for entry in batch)
        assert len(batch) * longest <= embedding.BATCH_TOKENS
        padding = sum(longest - len(entry.tokens.ids) for entry in batch)
        own = sum(len(entry.tokens.ids) - 10 for entry in batch)
        assert padding <= max(own / embedding.SIMILAR, embedding.WORTH_A_PASS)


class Synthetic:
    """As wide as a model of 7 billion parameters, at no cost: a sample's vectors are its number."""

    name, identity, shares_prompts, width = "synthetic", {"fingerprint": "synthetic"}, True, 4096
    views = tuple(View(layer, "last") for layer in (12, 18, 24))

    def tokenise(self, text: Text) -> Tokens:
        """One token a character of the prompt; the completion is the sample's number."""
        ids = [1] * len(text.prompt) + [int(text.completion)]
        return Tokens(ids, len(text.prompt), len(ids), len(ids), cut=False)

    def embed(self, samples: Sequence[Tokens], views: Sequence[View]) -> Vectors:
        """The numbers, as often as a vector is wide."""
        numbers = np.array([sample.ids[-1] for sample in samples], dtype=np.float32)
        return np.broadcast_to(numbers[:, None, None], (len(samples), len(views), self.width)).copy()


@pytest.mark.slow
def test_memory_stays_flat_however_many_samples(tmp_path: Path):
    """100,000 samples of 3 x 4096 in half precision are 2.3 GiB on disk and next to nothing in memory."""
    problems, samples = 1000, 100
    if shutil.disk_usage(tmp_path).free < 4 * 2**30:
        pytest.skip("not 4 GiB free on the disk")
    with Store(tmp_path / "run", create=True) as store:
        store.add_problems(Problem(f"T/{n}", f"p{n}", "f", "assert True") for n in range(problems))
        for n in range(problems):
            store.add_completions(Completion(f"T/{n}", i, f"p{n}", str(i), str(i)) for i in range(samples))
        after_few, before = 0, rss_bytes()
        watched = Synthetic()
        write, rows = VectorFile.write, 0

        def watching(file: VectorFile, first_row: int, block: Vectors) -> None:
            nonlocal after_few, rows
            write(file, first_row, block)
            rows = first_row + len(block)
            if not after_few and rows > 5000:
                after_few = rss_bytes()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(VectorFile, "write", watching)
            view = embed(store, watched, QUIET, "float16").view
        assert rows == problems * samples
        assert rss_bytes() - after_few < 64 * 2**20, "20 times the samples, no more memory"
        assert after_few - before < 256 * 2**20
        (key,) = store.settings()[f"view {view}"]["shards"]
        stored, places = open_shard(store, key).file.read(), store.vector_rows(key)
        assert all(stored[places[SampleId(f"T/{n}", 99)], 2, 4095] == 99 for n in range(0, problems, 50))
        assert embed(store, watched, QUIET, "float16").new == 0


def rss_bytes() -> int:
    """Return the memory of this process in bytes, without mapped files."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(fields["RssAnon"].split()[0])
