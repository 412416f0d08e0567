"""The longest input of an encoder: set by its position table, its tokenizer and its authors, or unlimited."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.errors import QprobeError
from harness.models.hf.embedder import HfEmbedder
from harness.models.tokens import Text
from tests.tiny_models import ENCODERS, save_bloom, save_encoder

LONG = [Text.of("def f():\n" * 40, f"    return {number}\n" * 5) for number in (1, 22)]


def read(folder: Path, texts: Sequence[Text] = LONG) -> tuple[HfEmbedder, list[int]]:
    """An embedder that has read the texts, and their lengths in tokens."""
    embedder = HfEmbedder(f"hf:{folder}", layers="all", pooling="last,mean,prompt", device="cpu")
    samples = [embedder.tokenise(text) for text in texts]
    assert np.isfinite(embedder.embed(samples, embedder.views)).all()
    return embedder, [len(sample.ids) for sample in samples]


@pytest.mark.parametrize("kind", sorted(set(ENCODERS) - {"deberta-v2", "xlnet"}))
def test_a_long_sample_fills_the_position_table_and_no_more(tmp_path: Path, kind: str):
    """Against the model itself, which fails at one token more."""
    embedder, lengths = read(save_encoder(tmp_path, kind))
    assert lengths == [embedder._context] * 2
    assert embedder._context == (64 if kind in ("roberta", "mpnet", "ibert", "data2vec-text") else 66)
    if kind != "nystromformer":  # its table is larger than what its authors use
        with pytest.raises((IndexError, RuntimeError)), torch.inference_mode():
            embedder._weights(input_ids=torch.full((1, lengths[0] + 1), 5))


@pytest.mark.parametrize("kind", ["roberta", "bert", "deberta-v2"])
def test_a_tokenizer_may_set_a_lower_limit(tmp_path: Path, kind: str):
    assert read(save_encoder(tmp_path, kind, limit=40))[1] == [40, 40]


@pytest.mark.parametrize(("stated", "tokens"), [(32, 32), (500, 64), (None, 64), ("x", 64)])
def test_the_authors_of_a_sentence_encoder_may_set_a_lower_limit(tmp_path: Path, stated: object, tokens: int):
    folder = save_encoder(tmp_path, "mpnet")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": stated}))
    assert read(folder)[1] == [tokens] * 2


def test_a_real_sentence_encoder(minilm: Path):
    assert read(minilm)[0]._context == 256


def test_a_model_without_a_limit_reads_everything(tmp_path: Path):
    embedder, lengths = read(save_encoder(tmp_path / "xlnet", "xlnet"))
    assert (embedder._context, min(lengths) > 200) == (None, True)
    assert not embedder.tokenise(LONG[0]).cut
    embedder, lengths = read(save_bloom(tmp_path / "bloom"))
    assert (embedder._context, min(lengths) > 200) == (None, True)


@pytest.mark.parametrize("kind", sorted(set(ENCODERS) - {"nystromformer"}))  # its attention depends on the padding
def test_a_vector_is_that_of_the_text_alone(tmp_path: Path, kind: str):
    """Padding, and how a model orders its states inside, change nothing: against transformers' own hidden states."""
    embedder = HfEmbedder(f"hf:{save_encoder(tmp_path, kind)}", layers="all", pooling="last,prompt", device="cpu")
    samples = [embedder.tokenise(Text.of("x = ", "1 + 2")), embedder.tokenise(Text.of("x", " = y" * 3))]
    samples += [samples[0]] * (len(samples[1].ids) - 2)  # as many rows as tokens
    embeddings = embedder.embed(samples, embedder.views)
    for sample, vectors in zip(samples[:2], embeddings, strict=False):
        with torch.inference_mode():
            states = embedder._weights(torch.tensor([sample.ids]), output_hidden_states=True).hidden_states
        for view, vector in zip(embedder.views, vectors, strict=True):
            at = {"last": sample.end, "prompt": sample.start}[view.pooling] - 1
            np.testing.assert_allclose(vector, states[view.layer][0, at], atol=1e-4, err_msg=str(view))


def test_a_table_shorter_than_its_configuration_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    embedder = HfEmbedder(f"hf:{save_encoder(tmp_path, 'mpnet')}", device="cpu")
    monkeypatch.setitem(embedder.__dict__, "_context", 100)
    with pytest.raises(QprobeError, match=r"cannot read 100 tokens.*choose another embedder"):
        embedder.embed([embedder.tokenise(LONG[0])], embedder.views)
