"""Top-k, min-p and the repetition penalty, against transformers' own processors and its own `generate`."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from harness.errors import QprobeError
from harness.models.engine import Request
from harness.models.hf.engine import HfEngine
from harness.models.logit_rules import earlier_tokens, likeliest_only, penalised, without_unlikely
from harness.models.sampling import HEADS, Sampling, draw
from tests.tiny_models import save_llama, save_mamba

PENALTY = 5.0
ROWS = st.lists(
    st.lists(st.floats(-6, 6, width=32), min_size=7, max_size=7),
    min_size=1,
    max_size=4,
)
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.5, 0.8, 1.0, 2.0]),
    top_p=st.sampled_from([0.4, 0.9, 1.0]),
    top_k=st.sampled_from([0, 1, 3, 6, 7, 50]),
    min_p=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    repetition_penalty=st.sampled_from([0.7, 1.0, 1.1, 1.8]),
)


def theirs(sampling: Sampling) -> LogitsProcessorList:
    """Transformers' processors in its own order, each where `generate` would put it in."""
    rules: list[object] = []
    if sampling.repetition_penalty != 1:
        rules.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.temperature != 1:
        rules.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        rules.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        rules.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        rules.append(MinPLogitsWarper(sampling.min_p))
    return LogitsProcessorList(rules)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, sampling=SAMPLINGS, prompt=st.lists(st.integers(0, 6), min_size=1, max_size=5), seed=st.integers(0))
def test_a_token_is_drawn_as_from_the_logits_of_transformers(
    rows: list[list[float]], sampling: Sampling, prompt: list[int], seed: int
):
    """The inverse of the distribution function that its processors leave, for texts of unlike lengths."""
    logits = torch.tensor(rows)
    texts = [(prompt, prompt[:at]) for at in range(len(rows))]
    numbers = torch.rand(len(rows), dtype=torch.float64, generator=torch.Generator().manual_seed(seed % 2**63))
    chosen, logprobs, _ = draw(logits, numbers, sampling, None, earlier_tokens(texts, sampling))
    for at, (before, drawn) in enumerate(texts):
        ids = torch.tensor([[*before, *drawn]])
        assume(is_clear(logits[at : at + 1], ids, sampling))
        p = theirs(sampling)(ids, logits[at : at + 1].clone())[0].double().softmax(-1)
        ends = p.cumsum(0)
        assume(bool(((ends - numbers[at]).abs() > 1e-5).all()))
        assert int(chosen[at]) == int((ends <= numbers[at]).sum())
        assert float(logprobs[at]) == pytest.approx(float(logits[at].log_softmax(-1)[chosen[at]]), abs=1e-5)


def is_clear(logits: torch.Tensor, ids: torch.Tensor, sampling: Sampling) -> bool:
    """Return whether no token stands so near a border that rounding decides; two tokens that tie do, for top-p."""
    processors = theirs(sampling)
    before = processors[: len(processors) - (sampling.top_p < 1) - (sampling.min_p > 0)]
    p = LogitsProcessorList(before)(ids, logits.clone())[0].double().softmax(-1).sort(descending=True).values
    kept = p[p > 0]
    clear = bool(((kept / kept[0] - sampling.min_p).abs() > 1e-5)[1:].all())
    apart = bool((p.cumsum(0) - sampling.top_p).abs().min() > 1e-5) and bool((kept[:-1] - kept[1:] > 1e-7).all())
    return clear and (sampling.top_p == 1 or apart)


@settings(max_examples=200, deadline=None)
@given(
    rows=ROWS, ids=st.lists(st.integers(0, 6), min_size=1, max_size=9), penalty=st.sampled_from([0.5, 1.0, 1.3]),
    top_k=st.integers(1, 9), min_p=st.sampled_from([0.01, 0.5, 1.0]),
)  # fmt: skip
def test_each_rule_is_that_of_transformers(
    rows: list[list[float]], ids: list[int], penalty: float, top_k: int, min_p: float
):
    logits, earlier = torch.tensor(rows), torch.tensor([ids] * len(rows))
    expected = RepetitionPenaltyLogitsProcessor(penalty)(earlier, logits.clone())
    assert torch.equal(penalised(logits, earlier, penalty), expected)
    assert torch.equal(likeliest_only(logits, top_k), TopKLogitsWarper(top_k)(earlier, logits))
    kept = MinPLogitsWarper(min_p)(earlier, logits).isfinite()
    assert torch.equal(without_unlikely(logits.softmax(-1), min_p) > 0, kept)


@settings(deadline=None)
@given(rows=ROWS)
def test_the_defaults_change_no_bit(rows: list[list[float]]):
    logits, usual = torch.tensor(rows), Sampling()
    assert earlier_tokens([([1, 2], [3])], usual) is None
    assert penalised(logits, torch.tensor([[1]] * len(rows)), 1.0) is logits
    assert likeliest_only(logits, usual.top_k) is logits
    assert without_unlikely(logits, usual.min_p) is logits


def test_a_large_vocabulary():
    """Rows whose head holds all that top-k and min-p leave, and rows so flat that it does not."""
    generator = torch.Generator().manual_seed(0)
    logits = (
        torch.randn(60, 4 * HEADS[-1] + 900, generator=generator) * torch.tensor([0.5, 3.0, 9.0]).repeat(20)[:, None]
    )
    numbers = torch.rand(60, dtype=torch.float64, generator=generator)
    for sampling in (Sampling(top_k=40), Sampling(top_k=2000, top_p=1.0), Sampling(min_p=0.01, top_p=1.0)):
        p = theirs(sampling)(torch.zeros(60, 1, dtype=torch.long), logits).double().softmax(-1)
        ends = p.cumsum(-1)
        clear = ((ends - numbers[:, None]).abs() > 1e-6).all(-1)
        expected = (ends <= numbers[:, None]).sum(-1)
        assert int(clear.sum()) > 30
        assert torch.equal(draw(logits, numbers, sampling)[0][clear], expected[clear])


@pytest.mark.parametrize("save", [save_llama, save_mamba])
def test_the_penalty_counts_the_prompt_and_what_was_drawn(tmp_path: Path, save: Callable[[Path], Path]):
    """Greedy texts of both decoders, several prompts at once, against `generate`."""
    folder = save(tmp_path)
    engine = HfEngine(f"hf:{folder}", Sampling(0, 1.0, 24, repetition_penalty=PENALTY), device="cpu", batch_size=3)
    prompts = ["def add(a, b):\n", "x", "for x in range(3):\n    print(x", "def f():\n" * 4]
    drawn = dict(engine.generate([Request(prompt, (), 0) for prompt in prompts]))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    plain = dict(
        HfEngine(f"hf:{folder}", Sampling(0, 1.0, 24), device="cpu").generate([Request(p, (), 0) for p in prompts])
    )
    for at, prompt in enumerate(prompts):
        ids = engine.model.tokenizer(prompt, return_tensors="pt").input_ids
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24, repetition_penalty=PENALTY,
            pad_token_id=1,
        )  # fmt: skip
        assert list(drawn[at].token_ids) == out[0, ids.shape[1] :].tolist()
    assert any(plain[at].token_ids != drawn[at].token_ids for at in drawn)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"top_k": -1}, "top_k is a number of tokens, or 0 for all, not -1."),
        ({"min_p": 1.5}, "min_p is a share of the likeliest token's probability, from 0 to 1, not 1.5."),
        ({"repetition_penalty": 0}, "repetition_penalty must be above 0, and finite, not 0."),
    ],
)
def test_numbers_out_of_range(given: dict[str, float], says: str):
    with pytest.raises(QprobeError) as caught:
        Sampling(**given)  # type: ignore[arg-type]
    assert str(caught.value) == says


def test_samples_of_earlier_versions_stay():
    """A run settles the same as before where none of the new options is given."""
    assert Sampling().identity == {"temperature": 0.8, "top_p": 0.95, "max_new_tokens": 300}
    assert Sampling(top_k=5, chat_template_kwargs={"x": 1}).identity["top_k"] == 5
