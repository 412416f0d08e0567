"""The transformers engine and sampling."""

from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf_engine import HfEngine
from harness.models.sampling import Sampling, draw, sample_seed
from tests.tiny_models import save_bert, save_gpt2, save_qwen2

PROMPTS = ["def add(a, b):\n", "for x in range(3):\n    print(x", "x", "def f():\n" * 9]


def requests(seeds: list[int], stop: tuple[str, ...] = ()) -> list[Request]:
    return [Request(PROMPTS[i % len(PROMPTS)], stop, seed) for i, seed in enumerate(seeds)]


@pytest.fixture(scope="module", params=["llama", "gpt2", "qwen2"])
def engine(request: pytest.FixtureRequest, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> HfEngine:
    if request.param == "llama":
        folder = tiny_llama
    else:
        save = {"gpt2": save_gpt2, "qwen2": save_qwen2}[request.param]
        folder = save(tmp_path_factory.mktemp(request.param))
    return HfEngine(f"hf:{folder}", Sampling(max_new_tokens=24), device="cpu")


def test_a_sample_does_not_depend_on_its_batch(engine: HfEngine):
    work = requests([1, 2, 3, 4, 5, 6])
    together = engine.generate(work)
    alone = [engine.generate([one])[0] for one in work]
    assert [g.text for g in together] == [g.text for g in alone]
    assert [g.tokens for g in together] == [g.tokens for g in alone]
    assert [g.logprob for g in together] == pytest.approx([g.logprob for g in alone], abs=1e-3)


def test_samples_of_one_prompt_differ_by_seed_alone(engine: HfEngine):
    texts = [engine.generate([Request("x", (), seed)])[0].text for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


def test_each_row_ends_at_its_own_stop_string(engine: HfEngine):
    free = engine.generate(requests([1, 2, 3, 4]))
    stop = next(letter for letter in free[0].text[2:] if letter.isascii())
    stopped = engine.generate([Request(PROMPTS[0], (stop,), 1), *requests([1, 2, 3, 4])[1:]])
    assert stopped[0].finish_reason == "stop"
    assert free[0].text.startswith(stopped[0].text.rstrip("\ufffd"))
    assert stopped[0].tokens < free[0].tokens
    assert [g.text for g in stopped[1:]] == [g.text for g in free[1:]]


def test_the_logprob_is_the_models_own(engine: HfEngine):
    """Against an independent reading: one plain forward pass over prompt and completion."""
    short = HfEngine(engine.name, Sampling(max_new_tokens=2), device="cpu")
    tokenizer = short.model.tokenizer
    prompt, checked = tokenizer(PROMPTS[0]).input_ids, 0
    for done in short.generate([Request(PROMPTS[0], (), seed) for seed in range(40)]):
        ids = prompt + tokenizer(done.text).input_ids
        if "\ufffd" in done.text or len(ids) - len(prompt) != done.tokens:
            continue  # not the tokens that were drawn: half a character, or a pair that merges
        with torch.inference_mode():
            logprobs = short._weights(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(float(logprobs[i - 1, ids[i]]) for i in range(len(prompt), len(ids)))
        assert done.logprob == pytest.approx(expected, abs=1e-3)
        checked += 1
    assert checked >= 3


def test_temperature_0_is_greedy(tiny_llama: Path):
    greedy = HfEngine(f"hf:{tiny_llama}", Sampling(temperature=0, max_new_tokens=8), device="cpu")
    one, other = greedy.generate([Request("x", (), 1), Request("x", (), 2)])
    assert one.text == other.text


@settings(max_examples=50, deadline=None)
@given(
    logits=st.lists(st.floats(-4, 4), min_size=2, max_size=8),
    temperature=st.sampled_from([0.5, 0.8, 1.0, 2.0]),
    top_p=st.sampled_from([0.3, 0.95, 1.0]),
)
def test_draws_have_the_nucleus_distribution(logits: list[float], temperature: float, top_p: float):
    """Over a fine grid of uniform numbers the tokens come as often as an independent nucleus says."""
    grid = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    drawn = draw(torch.tensor([logits]).expand(4000, -1), grid, temperature, top_p)
    probabilities = [float(p) for p in (torch.tensor(logits, dtype=torch.float64) / temperature).softmax(-1)]
    by_rank = sorted(probabilities, reverse=True)
    before = [sum(by_rank[:rank]) for rank in range(len(by_rank))]
    assume(all(abs(mass - top_p) > 1e-4 for mass in before))
    nucleus = [p if mass < top_p else 0.0 for p, mass in zip(by_rank, before, strict=True)]
    seen = sorted((float((drawn == token).double().mean()) for token in range(len(logits))), reverse=True)
    assert seen == pytest.approx([p / sum(nucleus) for p in nucleus], abs=2e-3)


def test_seeds_are_the_samples_own():
    seeds = {sample_seed(run, problem, i) for run in range(3) for problem in ("a", "b", "a 1") for i in range(20)}
    assert len(seeds) == 180
    assert sample_seed(0, "HumanEval/0", 0) == 8051074784820905931


def test_an_encoder_writes_no_text(tmp_path: Path):
    with pytest.raises(QprobeError, match="encoder"):
        HfEngine(f"hf:{save_bert(tmp_path)}", Sampling())


def test_a_prompt_longer_than_the_context_is_refused(tiny_llama: Path):
    engine = HfEngine(f"hf:{tiny_llama}", Sampling(max_new_tokens=300))
    engine.check(["x"])
    with pytest.raises(QprobeError, match="context of 512"):
        engine.check(["word " * 300])
