"""Log-probabilities of replies: those of the model's own forward pass, beside the vectors of the plain embedder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from benchmarks.mini import MODEL
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.reply_scorer import ReplyScorer, with_log_probabilities
from harness.models.tokens import Text
from tests.tiny_models import save_bert

PROMPT = "def f(x):\n    return"
TEXTS = [Text.of(PROMPT, " x + 1\n"), Text.of(PROMPT, ""), Text.of("", "def g(y):\n"), Text.of("a = 1\n", "b = 22\n")]
SPEC = f"hf:{MODEL}"


def expected(ids: list[int], start: int, end: int) -> float:
    """The sum over a text's own pass alone, by the model as transformers has it."""
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype="float32")
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return float(sum(logprobs[place - 1, ids[place]] for place in range(start, end)))


@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [0, 1], [0]], ids=["mixed", "one prompt", "alone"])
def test_log_probabilities_and_vectors(chosen: list[int]):
    plain = HfEmbedder(SPEC, layers="0.5,1.0", pooling="last,mean")
    scorer = with_log_probabilities(plain)
    assert isinstance(scorer, ReplyScorer)
    assert (scorer.views, scorer.identity) == (plain.views, plain.identity)
    tokens = [plain.tokenise(TEXTS[place]) for place in chosen]
    vectors = scorer.embed([scorer.tokenise(TEXTS[place]) for place in chosen], scorer.views)
    np.testing.assert_allclose(vectors, plain.embed(tokens, plain.views), atol=1e-5)
    for (total, count), sample in zip(scorer.log_probabilities, tokens, strict=True):
        assert count == sample.end - sample.start
        assert total == pytest.approx(expected(sample.ids, sample.start, sample.end), abs=1e-3)


def test_an_encoder_is_left_as_it_is(tmp_path: Path):
    encoder = HfEmbedder(f"hf:{save_bert(tmp_path)}")
    assert with_log_probabilities(encoder) is encoder


def test_a_model_read_inside_its_layers_is_left_as_it_is():
    inside = HfEmbedder(f"{SPEC},location=mlp")
    assert with_log_probabilities(inside) is inside
