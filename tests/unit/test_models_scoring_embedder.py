"""Log-probabilities of samples: those of the model's own forward pass, beside the vectors of the plain embedder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from benchmarks.mini import MODEL
from harness.models.engine import Request
from harness.models.hf.embedder import HfEmbedder
from harness.models.hf.engine import HfEngine
from harness.models.hf.scoring_embedder import ScoringEmbedder, with_log_probabilities
from harness.models.sampling import Sampling
from harness.models.tokens import Text
from tests.tiny_models import save_bert

PROMPT = "def f(x):\n    return"
TEXTS = [Text.of(PROMPT, " x + 1\n"), Text.of(PROMPT, ""), Text.of("", "def g(y):\n"), Text.of("a = 1\n", "b = 22\n")]
SPEC = f"hf:{MODEL}"


def expected(ids: list[int], start: int) -> tuple[list[float], list[float]]:
    """Of each token from `start`: log p and KL(uniform || p), over a text's own pass alone."""
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype="float32")
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    uniform = torch.full_like(logprobs[0], 1 / logprobs.shape[1])
    places = range(start, len(ids))
    divergences = [float((uniform * (uniform.log() - logprobs[place - 1])).sum()) for place in places]
    return [float(logprobs[place - 1, ids[place]]) for place in places], divergences


@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [0, 1], [0]], ids=["mixed", "one prompt", "alone"])
def test_log_probabilities_and_vectors(chosen: list[int]):
    plain = HfEmbedder(SPEC, layers="0.5,1.0", pooling="last,mean")
    scorer = with_log_probabilities(plain)
    assert isinstance(scorer, ScoringEmbedder)
    assert (scorer.views, scorer.identity) == (plain.views, plain.identity)
    tokens = [plain.tokenise(TEXTS[place]) for place in chosen]
    vectors = scorer.embed([scorer.tokenise(TEXTS[place]) for place in chosen], scorer.views)
    np.testing.assert_allclose(vectors, plain.embed(tokens, plain.views), atol=1e-5)
    for confidence, sample in zip(scorer.confidences, tokens, strict=True):
        ids = (
            sample.ids[: sample.end]
            if sample.end > sample.start
            else [*sample.ids, scorer.model.tokenizer.eos_token_id]
        )
        logprobs, certainties = expected(ids, sample.start)
        assert confidence.tokens == len(ids) - sample.start
        assert confidence.logprob == pytest.approx(sum(logprobs), abs=1e-3)
        assert confidence.least_logprob == pytest.approx(min(logprobs), abs=1e-3)
        assert confidence.self_certainty == pytest.approx(float(np.mean(certainties)), abs=1e-3)


def test_an_encoder_is_left_as_it_is(tmp_path: Path):
    encoder = HfEmbedder(f"hf:{save_bert(tmp_path)}")
    assert with_log_probabilities(encoder) is encoder


def test_a_model_read_inside_its_layers_is_left_as_it_is():
    inside = HfEmbedder(f"{SPEC},location=mlp")
    assert with_log_probabilities(inside) is inside


def test_drawn_samples_score_as_in_generation(tmp_path: Path):
    engine = HfEngine(SPEC, Sampling(temperature=0.8, max_new_tokens=40), device="cpu")
    stops = ("\ndef", "\nassert")
    drawn = [
        generated for _, generated in sorted(engine.generate([Request(PROMPT, stops, seed) for seed in range(12)]))
    ]
    scorer = with_log_probabilities(HfEmbedder(SPEC))
    assert isinstance(scorer, ScoringEmbedder)
    texts = [Text(PROMPT, one.text, len(one.text), len(one.text), one.token_ids) for one in drawn]
    scorer.embed([scorer.tokenise(text) for text in texts], scorer.views)
    for confidence, one in zip(scorer.confidences, drawn, strict=True):
        assert (confidence.tokens, one.tokens) == (len(one.token_ids), len(one.token_ids))
        assert confidence.logprob == pytest.approx(one.logprob, abs=1e-3)
        assert confidence.least_logprob == pytest.approx(one.least_logprob, abs=1e-3)
        assert confidence.self_certainty == pytest.approx(one.self_certainty, abs=1e-3)
