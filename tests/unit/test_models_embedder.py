"""Vectors: the positions that are pooled, and that the text alone decides them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from harness.errors import QprobeError
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.hidden_states import HiddenStates
from harness.models.hf.layers import parse_layers, parse_poolings
from harness.models.hf.pooling import Spans, pool
from harness.models.token_text import TokenText
from harness.models.tokens import Text, Tokens, continuation_ids, plain_ids, spans_of_drawn
from harness.models.vectors import Vectors
from harness.probes.samples import View
from tests.tiny_models import MAKERS, blank_tokenizer, save_bert, save_gpt2, save_llama, tokenizer

TEXTS = [("def add(a, b):\n", "    return a + b\n"), ("x", ""), ("", "y = 1\n"), ("def f():\n" * 8, "    pass\n" * 5)]
STOP = "\ndef"


def vectors(embedder: HfEmbedder, samples: Sequence[Tokens]) -> Vectors:
    return embedder.embed(samples, embedder.views)


@pytest.fixture(scope="module", params=MAKERS)
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HfEmbedder:
    """Every layer and pooling of a small model of each architecture."""
    folder = MAKERS[request.param](tmp_path_factory.mktemp(request.param))
    pooling = "last,mean,prompt" if request.param == "bert" else "last,mean,prompt,after-stop"
    return HfEmbedder(f"hf:{folder}", layers="all", pooling=pooling, device="cpu")


def test_a_vector_does_not_depend_on_its_batch(embedder: HfEmbedder):
    samples = [embedder.tokenise(Text.of(*text)) for text in TEXTS]
    together = vectors(embedder, samples)
    assert together.shape == (len(TEXTS), len(embedder.views), 32)
    for sample, rows in zip(samples, together, strict=True):
        np.testing.assert_allclose(vectors(embedder, [sample])[0], rows, atol=2e-5)
    backwards = vectors(embedder, samples[::-1])[::-1]
    np.testing.assert_allclose(backwards, together, atol=2e-5)


def test_a_shared_prompt_changes_nothing(embedder: HfEmbedder):
    """The same texts in one batch, which shares the prompt where the model can, and one by one, which does not."""
    completions = ["    return a + b\n", "", "    pass\n" * 6, "    return b\n", "x"]
    prompt = "def add(a, b):\n    # the sum of two numbers\n"
    samples = [embedder.tokenise(Text.of(prompt, text, STOP if text else "")) for text in completions]
    together = vectors(embedder, samples)
    attention = embedder.model.config.model_type not in ("mamba", "bert")
    assert embedder.shares_prompts == (embedder._prompt is not None) == attention
    for sample, rows in zip(samples, together, strict=True):
        np.testing.assert_allclose(vectors(embedder, [sample])[0], rows, atol=2e-5)


def states_of(embedder: HfEmbedder, ids: list[int]) -> list[np.ndarray]:
    """Every hidden state of one sequence, read as transformers offers them; [tokens, width] each."""
    model, batch = embedder._weights, torch.tensor([ids])
    with torch.inference_mode():
        states = model(batch, output_hidden_states=True).hidden_states
        if embedder.model.config.model_type == "mamba":  # its list leaves out the embedding
            states = [model.embeddings(batch), *states[:1], states[-1]]
    return [state[0].numpy() for state in states]


def test_the_poolings_are_what_they_say(embedder: HfEmbedder):
    """Against an independent reading: one plain forward pass over the whole text."""
    plain = embedder.model.tokenizer
    prompt, completion, stop = (list(plain(text).input_ids) for text in (*TEXTS[0], STOP))
    end = len(prompt) + len(completion)
    states = states_of(embedder, [*prompt, *completion, *(stop if embedder.causal else [])])
    pooled = vectors(embedder, [embedder.tokenise(Text.of(*TEXTS[0], STOP))])[0]
    for at, (layer, pooling) in enumerate(embedder.views):
        expected = {
            "last": states[layer][end - 1],
            "mean": states[layer][len(prompt) : end].mean(0),
            "prompt": states[layer][len(prompt) - 1],
            "after-stop": states[layer][-1],
        }[pooling]
        np.testing.assert_allclose(pooled[at], expected, atol=1e-5, err_msg=f"{layer} {pooling}")


def test_layers_above_the_last_that_is_wanted_are_not_computed(tmp_path: Path):
    embedder = HfEmbedder(f"hf:{save_llama(tmp_path, layers=6)}", layers="2", device="cpu")
    for layer in embedder._weights.layers[2:]:
        layer.forward = None  # calling it would fail
    assert vectors(embedder, [embedder.tokenise(Text.of(*TEXTS[0]))]).shape == (1, 1, 32)


def test_no_hook_stays(embedder: HfEmbedder):
    vectors(embedder, [embedder.tokenise(Text.of(*TEXTS[0]))])
    assert all(not block._forward_pre_hooks for block in embedder._states._blocks)
    assert isinstance(embedder._states, HiddenStates)


def test_states_are_pooled_in_float32():
    """The mean of many halves is that of float32, not of sums in float16."""
    states = torch.full((1, 4096, 2), 3.0, dtype=torch.float16)
    sample = Tokens([0] * 4096, 0, 4096, 4096, cut=False)
    pooled = pool(states, Spans.of([sample]), "mean")
    assert pooled.dtype == torch.float32
    assert pooled.tolist() == [[3.0, 3.0]]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_mean_is_the_mean_of_the_span(data: st.DataObject):
    length = data.draw(st.integers(1, 6))
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    states = torch.randn(1, length, 3)
    mean = pool(states, Spans.of([Tokens([0] * length, start, end, end, cut=False)]), "mean")[0]
    inside = states[0, start:end] if end > start else states[0, max(end - 1, 0) : max(end, 1)]
    torch.testing.assert_close(mean, inside.mean(0))


class TestDrawnTokens:
    """Token ids that were kept at generation."""

    plain = tokenizer()

    def decode(self, ids: Sequence[int]) -> str:
        return TokenText(self.plain).text(ids)

    def test_they_are_read_as_they_were_drawn(self, tmp_path: Path):
        """Letter by letter, as no tokenizer would write it."""
        embedder = HfEmbedder(f"hf:{save_gpt2(tmp_path)}", pooling="last,after-stop", device="cpu")
        ids = [i for letter in "return x\ndef" for i in self.plain(letter).input_ids]
        assert len(ids) == 12 > len(self.plain("return x\ndef").input_ids)
        sample = embedder.tokenise(Text.of("p", "return x", "\ndef", ids))
        assert sample.ids == [*self.plain("p").input_ids, *ids]
        assert (sample.end - sample.start, sample.stop - sample.start) == (8, 12)
        other = embedder.tokenise(Text.of("p", "return y", "\ndef", ids))
        assert other.ids == self.plain("p").input_ids + [
            i for text in ("return y", "\ndef") for i in self.plain(text).input_ids
        ]

    def test_a_token_across_the_stop_belongs_to_it(self):
        text = "    return a + b\n"
        ids = self.plain(text).input_ids
        ends = [len(self.decode(ids[:count])) for count in range(len(ids) + 1)]
        for end in range(len(text)):
            spans = spans_of_drawn(ids, Text.of("", text[:end], text[end:]), self.decode)
            assert spans == (max(count for count, reached in enumerate(ends) if reached <= end), len(ids))

    def test_an_end_token_comes_after_the_stop(self):
        ids = [*self.plain("x = 1").input_ids, self.plain.eos_token_id]
        assert spans_of_drawn(ids, Text.of("", "x = 1", ""), self.decode) == (len(ids) - 1, len(ids))

    def test_those_of_another_tokenizer_are_not_taken(self):
        assert spans_of_drawn([5, 6, 7], Text.of("", "x = 1"), self.decode) is None

    def test_text_behind_the_stop_is_not_read(self):
        ids = [i for letter in "ab\n#cd" for i in self.plain(letter).input_ids]
        assert spans_of_drawn(ids, Text("", "ab\n#cd", 2, 4, tuple(ids)), self.decode) == (2, 4)


def test_the_default_layer_is_the_papers_depth(tmp_path: Path):
    causal = HfEmbedder(f"hf:{save_llama(tmp_path / 'c', layers=8)}")
    assert causal.views == (View(6, "last"),)
    encoder = HfEmbedder(f"hf:{save_bert(tmp_path / 'e')}")
    assert encoder.views == (View(2, "mean"),)


def test_a_real_encoder_tells_a_right_program_from_prose(minilm: Path):
    """Special tokens stand around the text; like texts get like vectors."""
    embedder = HfEmbedder(f"hf:{minilm}", device="cpu")
    texts = ["return a + b", "return b + a", "the weather in spring"]
    samples = [embedder.tokenise(Text.of("def add(a, b):", text)) for text in texts]
    assert samples[0].ids[0] == embedder.model.tokenizer.cls_token_id
    assert samples[0].ids[-1] == embedder.model.tokenizer.sep_token_id
    unit = [v / np.linalg.norm(v) for v in vectors(embedder, samples)[:, 0]]
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2


def test_a_long_text_loses_the_prompts_beginning(tmp_path: Path):
    embedder = HfEmbedder(f"hf:{save_llama(tmp_path, context=64)}")
    sample = embedder.tokenise(Text.of("abcdefgh " * 50, "end"))
    whole = embedder.tokenise(Text.of("", "end"))
    assert sample.cut
    assert len(sample.ids) == 64
    assert sample.ids[sample.start :] == whole.ids[whole.start :]
    assert vectors(embedder, [sample]).shape == (1, 1, 32)
    assert len(embedder.tokenise(Text.of("x", "long " * 100)).ids) == 64


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


@pytest.mark.parametrize("text", ["33", "-34", "1.5", "x", "", "inf", "nan.0"])
def test_layers_that_are_not_there(text: str):
    with pytest.raises(QprobeError, match="layer"):
        parse_layers(text, 32)


def test_poolings():
    assert parse_poolings("mean, before-stop,last", causal=True) == ("mean", "last")
    with pytest.raises(QprobeError, match=r"Unknown pooling 'max'\. Choose from last, mean, prompt, after-stop"):
        parse_poolings("max", causal=True)
    with pytest.raises(QprobeError, match="An encoder reads no stop string"):
        parse_poolings("after-stop", causal=False)


def test_bad_models_get_one_sentence(tmp_path: Path):
    for spec, complaint in [
        ("gpt2", "is not the name of a model"),
        ("hf:", "is not the name of a model"),
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


@pytest.fixture(scope="module")
def llama2() -> PreTrainedTokenizerFast:
    return blank_tokenizer()


@settings(max_examples=60, deadline=None)
@given(completion=st.text(alphabet=" \nadefrtun+()é", max_size=24))
def test_a_continuation_gets_no_blank_from_its_tokenizer(llama2: PreTrainedTokenizerFast, completion: str):
    """The tokens after the prompt read as the completion, to the character."""
    text = TokenText(llama2).text
    assert text(continuation_ids(llama2, completion, text)) == completion
    if completion:
        assert text(plain_ids(llama2, completion)) == " " + completion


def test_an_embedder_of_such_a_tokenizer(llama2: PreTrainedTokenizerFast, tmp_path: Path):
    llama2.save_pretrained(save_llama(tmp_path))
    reader = HfEmbedder(f"hf:{tmp_path}", device="cpu", pooling="last,after-stop")
    sample = reader.tokenise(Text.of("def f():\n", "    return 1", "\nx"))
    read = [reader._token_text.text(ids) for ids in (sample.ids[sample.start : sample.end], sample.ids[sample.end :])]
    assert read == ["    return 1", "\nx"]
