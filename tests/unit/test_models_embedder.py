"""Vectors: which positions are pooled, and that nothing but the text decides them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import Problem
from harness import embedding
from harness.completion import Completion
from harness.embedding import embed, vector_file
from harness.errors import QprobeError
from harness.models.hf_embedder import HfEmbedder
from harness.models.layers import parse_layers
from harness.models.tokens import Tokens
from harness.store import Store
from harness.terminal import Terminal
from harness.vectors import Floats
from tests.tiny_models import save_bert, save_gpt2, save_llama, save_qwen2

TEXTS = [("def add(a, b):\n", "    return a + b\n"), ("x", ""), ("", "y = 1\n"), ("def f():\n" * 8, "    pass\n" * 5)]


@pytest.fixture(scope="module", params=["llama", "gpt2", "qwen2", "bert"])
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HfEmbedder:
    save = {"llama": save_llama, "gpt2": save_gpt2, "qwen2": save_qwen2, "bert": save_bert}[request.param]
    folder = save(tmp_path_factory.mktemp(request.param))
    return HfEmbedder(f"hf:{folder}", layers="all", pooling="last,mean,prompt", device="cpu")


def test_a_vector_does_not_depend_on_its_batch(embedder: HfEmbedder):
    samples = [embedder.tokenise(*text) for text in TEXTS]
    together = embedder.embed(samples)
    assert together.shape == (len(TEXTS), *embedder.shape) == (4, 3, 3, 32)
    for sample, vectors in zip(samples, together, strict=True):
        np.testing.assert_allclose(embedder.embed([sample])[0], vectors, atol=2e-5)
    backwards = embedder.embed(samples[::-1])[::-1]
    np.testing.assert_allclose(backwards, together, atol=2e-5)


def test_the_poolings_are_what_they_say(embedder: HfEmbedder):
    """Against an independent reading: one plain forward pass over the whole text."""
    prompt, completion = TEXTS[0]
    ids = embedder.model.tokenizer(prompt).input_ids + embedder.model.tokenizer(completion).input_ids
    start = len(embedder.model.tokenizer(prompt).input_ids)
    with torch.inference_mode():
        states = embedder._weights(torch.tensor([ids]), output_hidden_states=True).hidden_states
    vectors = embedder.embed([embedder.tokenise(prompt, completion)])[0]
    for layer in range(3):
        state = states[layer][0].numpy()
        np.testing.assert_allclose(vectors[layer, 0], state[-1], atol=1e-5)
        np.testing.assert_allclose(vectors[layer, 1], state[start:].mean(0), atol=1e-5)
        np.testing.assert_allclose(vectors[layer, 2], state[start - 1], atol=1e-5)


def test_the_default_layer_is_the_papers_depth(tmp_path: Path):
    causal = HfEmbedder(f"hf:{save_llama(tmp_path / 'c', layers=8)}")
    assert (causal.layers, causal.poolings) == ((6,), ("last",))
    encoder = HfEmbedder(f"hf:{save_bert(tmp_path / 'e')}")
    assert (encoder.layers, encoder.poolings) == ((2,), ("mean",))


def test_a_real_encoder_tells_a_right_program_from_prose(minilm: Path):
    """Special tokens stand around the text; like texts get like vectors."""
    embedder = HfEmbedder(f"hf:{minilm}", device="cpu")
    texts = ["return a + b", "return b + a", "the weather in spring"]
    samples = [embedder.tokenise("def add(a, b):", text) for text in texts]
    assert samples[0].ids[0] == embedder.model.tokenizer.cls_token_id
    assert samples[0].ids[-1] == embedder.model.tokenizer.sep_token_id
    unit = [v / np.linalg.norm(v) for v in embedder.embed(samples)[:, 0, 0]]
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2


def test_a_long_text_loses_the_prompts_beginning(tmp_path: Path):
    embedder = HfEmbedder(f"hf:{save_llama(tmp_path, context=64)}")
    sample = embedder.tokenise("abcdefgh " * 50, "end")
    whole = embedder.tokenise("", "end")
    assert sample.cut
    assert len(sample.ids) == 64
    assert sample.ids[sample.start :] == whole.ids
    assert embedder.embed([sample]).shape == (1, 1, 1, 32)
    assert len(embedder.tokenise("x", "long " * 100).ids) == 64


@pytest.mark.parametrize(
    ("text", "layers", "expected"),
    [
        ("all", 3, (0, 1, 2, 3)),
        ("0.5,0.8", 10, (5, 8)),
        ("-1", 12, (12,)),
        ("12, 18,12", 24, (12, 18)),
    ],
)
def test_layers(text: str, layers: int, expected: tuple[int, ...]):
    assert parse_layers(text, layers) == expected


@pytest.mark.parametrize("text", ["33", "-34", "1.5", "x", ""])
def test_layers_that_are_not_there(text: str):
    with pytest.raises(QprobeError, match="layer"):
        parse_layers(text, 32)


def test_bad_models_get_one_sentence(tmp_path: Path):
    for spec, complaint in [
        ("gpt2", "names no model"),
        ("hf:", "names no model"),
        (f"hf:{tmp_path / 'absent'}", "There is no folder"),
        (f"hf:{tmp_path}", "no config.json"),
    ]:
        with pytest.raises(QprobeError, match=complaint):
            HfEmbedder(spec)
    folder = save_llama(tmp_path / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(QprobeError, match="has no tokenizer"):
        HfEmbedder(f"hf:{folder}")
    with pytest.raises(QprobeError, match="There is no pooling 'max'"):
        HfEmbedder(f"hf:{save_gpt2(tmp_path / 'gpt2')}", pooling="max")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "run", create=True)
    store.add_problems([Problem(f"T/{n}", f"def f{n}():\n", "f", "assert True") for n in range(6)])
    store.add_completions(
        Completion(f"T/{n}", i, f"def f{n}():\n", "", f"def f{n}():\n    return {'1' * (i // 2 + n)}\n")
        for n in range(6)
        for i in range(8)
    )
    return store


def all_vectors(store: Store, view: str) -> dict[tuple[str, int], bytes]:
    vectors = vector_file(store, view).read()
    return {sample: vectors[row].tobytes() for sample, row in store.vector_rows(view).items()}


class Interrupted(HfEmbedder):
    """An embedder that is stopped by ^C after some batches."""

    left = 10**9

    def embed(self, samples: Sequence[Tokens]) -> Floats:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().embed(samples)


def test_an_embedding_that_was_interrupted_goes_on_to_the_same_bits(
    store: Store, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embedding, "BATCH_TOKENS", 120)
    embedder = Interrupted(f"hf:{tiny_llama}", device="cpu")
    view = embed(store, embedder, Terminal(quiet=True)).view
    whole, batches = all_vectors(store, view), 10**9 - embedder.left
    assert len(whole) == 48
    assert len(set(store.vector_rows(view).values())) == 24, "equal programs of a problem share their vectors"
    for committed in range(1, batches):
        store._db.execute("DELETE FROM vectors")
        vector_file(store, view).path.unlink()
        embedder.left = committed
        with pytest.raises(KeyboardInterrupt):
            embed(store, embedder, Terminal(quiet=True))
        assert 0 < len(store.vector_rows(view)) < 48
        embedder.left = 10**9
        done = embed(store, embedder, Terminal(quiet=True))
        assert (done.new > 0, done.new + done.reused) == (True, 48)
        assert all_vectors(store, view) == whole


def test_other_layers_are_another_view(store: Store, tiny_llama: Path):
    one = embed(store, HfEmbedder(f"hf:{tiny_llama}", layers="1", device="cpu"), Terminal(quiet=True))
    two = embed(store, HfEmbedder(f"hf:{tiny_llama}", layers="1,2", device="cpu"), Terminal(quiet=True))
    assert one.view != two.view
    assert (two.new, vector_file(store, two.view).shape) == (48, (2, 1, 32))
    again = embed(store, HfEmbedder(f"hf:{tiny_llama}", layers="1", device="cpu"), Terminal(quiet=True))
    assert (again.new, again.reused) == (0, 48)
