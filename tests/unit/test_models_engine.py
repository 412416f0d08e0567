"""The transformers engine, its decoding loop, and sampling."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import Cache

from harness.errors import QprobeError
from harness.models.engine import Generated, Request
from harness.models.hf.batch_decoding import BatchDecoder
from harness.models.hf.decoding import Decoder
from harness.models.hf.engine import HfEngine
from harness.models.hf.forward import Forward
from harness.models.hf.kv_cache import SlotCache
from harness.models.sampling import HEADS, Sampling, draw
from harness.models.seeds import sample_seed
from harness.models.stop_strings import StopFinder
from harness.models.token_text import TokenText
from tests.tiny_models import (
    save_bert,
    save_bloom,
    save_gemma2,
    save_gpt2,
    save_gpt_oss,
    save_mamba,
    save_mistral,
    save_qwen2,
    tokenizer,
)

PROMPTS = ["def add(a, b):\n", "for x in range(3):\n    print(x", "x", "def f():\n" * 9]


def in_order(engine: HfEngine, work: list[Request]) -> list[Generated]:
    """The completions in the order of their requests."""
    completions = dict(engine.generate(work))
    assert sorted(completions) == list(range(len(work)))
    return [completions[position] for position in range(len(work))]


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
    """Prompts of unlike lengths, rows that end and are replaced, rows moved together: what each draws is its own."""
    work = requests(list(range(14)), stop=("e", "0"))
    assert isinstance(engine._decoder(), Decoder), "the loop under test"
    alone = [in_order(engine, [one])[0] for one in work]
    assert len({done.tokens for done in alone}) > 3
    for rows in (14, 9, 2):
        together = in_order(replace_rows(engine, rows), work)
        assert [g.token_ids for g in together] == [g.token_ids for g in alone]
        assert [g.text for g in together] == [g.text for g in alone]
        assert [g.finish_reason for g in together] == [g.finish_reason for g in alone]
        assert [g.logprob for g in together] == pytest.approx([g.logprob for g in alone], abs=1e-3)


def replace_rows(engine: HfEngine, rows: int) -> HfEngine:
    engine.batch_size = rows
    return engine


def test_the_loop_draws_what_plain_generate_draws(engine: HfEngine):
    """Against transformers' own loop over a prompt at a time, which has no slots."""
    work = requests(list(range(9)), stop=("e", "0"))
    plain = BatchDecoder(engine._weights, "cpu", engine._token_text, engine._end_tokens, engine.sampling, rows=4)
    theirs = dict(plain.run(engine._jobs(work)))
    ours = in_order(engine, work)
    assert [theirs[position].token_ids for position in range(9)] == [done.token_ids for done in ours]
    assert [theirs[position].text for position in range(9)] == [done.text for done in ours]
    assert [theirs[position].finish_reason for position in range(9)] == [done.finish_reason for done in ours]
    assert [theirs[i].logprob for i in range(9)] == pytest.approx([done.logprob for done in ours], abs=1e-3)
    for name in ("least_logprob", "self_certainty"):
        assert [getattr(theirs[i], name) for i in range(9)] == pytest.approx(
            [getattr(done, name) for done in ours], abs=1e-3
        )
    assert all(done.logprob <= done.least_logprob < 0 < done.self_certainty for done in ours)


@pytest.mark.parametrize("save", [save_mamba, save_bloom])
def test_a_state_or_an_attention_of_its_own_is_drawn_the_slower_way(tmp_path: Path, save: Callable[[Path], Path]):
    engine = HfEngine(f"hf:{save(tmp_path)}", Sampling(max_new_tokens=12), device="cpu", batch_size=3)
    work = requests(list(range(6)))
    assert isinstance(engine._decoder(), BatchDecoder)
    assert [g.text for g in in_order(engine, work)] == [in_order(engine, [one])[0].text for one in work]


@pytest.mark.parametrize("padding", [0.0, float("inf")])
@pytest.mark.parametrize("save", [save_gpt2, save_mistral, save_gemma2, save_gpt_oss])
def test_attention_is_the_models_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[Path], Path], padding: float
):
    """Windows shorter than prompt and completion, capped scores, heads that look nowhere; prompts one by one, and
    all at once.
    """
    slots = Forward.slots

    def arranged(self: Forward, prefilled: Cache) -> SlotCache:
        cache = slots(self, prefilled)
        cache.padding = padding
        return cache

    monkeypatch.setattr(Forward, "slots", arranged)
    engine = HfEngine(f"hf:{save(tmp_path)}", Sampling(max_new_tokens=24), device="cpu", batch_size=6)
    work = requests(list(range(11)), stop=("e",))
    plain = BatchDecoder(engine._weights, "cpu", engine._token_text, engine._end_tokens, engine.sampling, rows=4)
    theirs = dict(plain.run(engine._jobs(work)))
    assert isinstance(engine._decoder(), Decoder)
    ours = in_order(engine, work)
    assert [theirs[i].token_ids for i in range(11)] == [done.token_ids for done in ours]
    assert [theirs[i].logprob for i in range(11)] == pytest.approx([done.logprob for done in ours], abs=1e-3)


def test_samples_of_one_prompt_differ_by_seed_alone(engine: HfEngine):
    texts = [in_order(engine, [Request("x", (), seed)])[0].text for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


def test_each_row_ends_at_its_own_stop_string(engine: HfEngine):
    free = in_order(engine, requests([1, 2, 3, 4]))
    stop = next(letter for letter in free[0].text[2:] if letter.isascii())
    stopped = in_order(engine, [Request(PROMPTS[0], (stop,), 1), *requests([1, 2, 3, 4])[1:]])
    assert stopped[0].finish_reason == "stop"
    assert free[0].text.startswith(stopped[0].text.rstrip("\ufffd"))
    assert stopped[0].tokens < free[0].tokens
    assert [g.text for g in stopped[1:]] == [g.text for g in free[1:]]


def test_the_logprob_is_the_models_own(engine: HfEngine):
    """Against an independent reading: one plain forward pass over prompt and completion."""
    tokenizer = engine.model.tokenizer
    prompt = tokenizer(PROMPTS[0]).input_ids
    for done in in_order(engine, [Request(PROMPTS[0], (), seed) for seed in range(4)]):
        ids = [*prompt, *done.token_ids]
        with torch.inference_mode():
            logprobs = engine._weights(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(float(logprobs[i - 1, ids[i]]) for i in range(len(prompt), len(ids)))
        assert done.logprob == pytest.approx(expected, abs=1e-3)
        assert done.tokens == len(done.token_ids)
        assert engine._token_text.written(done.token_ids, engine._end_tokens) == done.text


def test_greedy(tiny_llama: Path):
    """At temperature 0, and for a request that asks for it among others that do not."""
    cold = HfEngine(f"hf:{tiny_llama}", Sampling(temperature=0, max_new_tokens=8), device="cpu")
    one, other = in_order(cold, [Request("x", (), 1), Request("x", (), 2)])
    assert one.token_ids == other.token_ids
    warm = HfEngine(f"hf:{tiny_llama}", Sampling(max_new_tokens=8), device="cpu")
    greedy, drawn = in_order(warm, [Request("x", (), 1, greedy=True), Request("x", (), 1)])
    assert greedy.token_ids == one.token_ids != drawn.token_ids


def test_a_batch_too_large_for_the_memory_is_halved(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch):
    engine = HfEngine(f"hf:{tiny_llama}", Sampling(max_new_tokens=8), device="cpu", batch_size=8)
    expected, step = in_order(engine, requests(list(range(10)))), Forward.step

    def scarce(self: Forward, ids: list[int], slots: SlotCache) -> torch.Tensor:
        if len(ids) > 3:
            raise torch.OutOfMemoryError("full")
        return step(self, ids, slots)

    monkeypatch.setattr(Forward, "step", scarce)
    completions = in_order(engine, requests(list(range(10))))
    assert [done.token_ids for done in completions] == [done.token_ids for done in expected]
    assert engine.batch_size == 2


@settings(deadline=None)
@given(
    text=st.text(alphabet="ab\né€🙂", min_size=1, max_size=30),
    stops=st.lists(st.text(alphabet="ab\né🙂", min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_a_stop_string_is_found_with_the_token_that_completes_it(text: str, stops: list[str]):
    """However the text is cut into tokens: against decoding all of it after every token."""
    words = tokenizer()
    pieces = TokenText(words)
    ids = words(text, add_special_tokens=False).input_ids
    finder, results = StopFinder(pieces, tuple(stops)), []
    for count in range(1, len(ids) + 1):
        results.append(finder.found(ids[:count]))
        whole = words.decode(ids[:count])
        assert results[-1] == any(stop in whole for stop in stops) or any(results[:-1])
    assert pieces.text(ids) == text


@settings(max_examples=50, deadline=None)
@given(
    logits=st.lists(st.floats(-4, 4), min_size=2, max_size=8),
    temperature=st.sampled_from([0.5, 0.8, 1.0, 2.0]),
    top_p=st.sampled_from([0.3, 0.95, 1.0]),
)
def test_draws_have_the_nucleus_distribution(logits: list[float], temperature: float, top_p: float):
    """Over a fine grid of uniform numbers the tokens come as often as an independent nucleus says."""
    grid = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    drawn, *_ = draw(torch.tensor([logits]).expand(4000, -1), grid, Sampling(temperature, top_p))
    probabilities = [float(p) for p in (torch.tensor(logits, dtype=torch.float64) / temperature).softmax(-1)]
    by_rank = sorted(probabilities, reverse=True)
    before = [sum(by_rank[:rank]) for rank in range(len(by_rank))]
    assume(all(abs(mass - top_p) > 1e-4 for mass in before))
    nucleus = [p if mass < top_p else 0.0 for p, mass in zip(by_rank, before, strict=True)]
    seen = sorted((float((drawn == token).double().mean()) for token in range(len(logits))), reverse=True)
    assert seen == pytest.approx([p / sum(nucleus) for p in nucleus], abs=2e-3)


def test_a_large_vocabulary_is_drawn_from_as_a_small_one():
    """The shortcut through the likeliest tokens, and rows that are too flat for it: against the whole order."""
    generator = torch.Generator().manual_seed(0)
    sharpness = torch.tensor([0.0, 0.5, 3.0, 9.0]).repeat(50)[:, None]
    logits = torch.randn(200, 4 * HEADS[-1] + 900, generator=generator) * sharpness
    logits += torch.linspace(0, 1e-3, logits.shape[1])  # no ties
    numbers = torch.rand(200, dtype=torch.float64, generator=generator)
    drawn, logprobs, certainties = draw(logits, numbers, Sampling())
    for row in range(200):
        p, order = (logits[row].double() / 0.8).softmax(-1).sort(descending=True)
        tokens, places = order[p.cumsum(0) - p < 0.95].sort()
        mass = p[places].cumsum(0)
        rank = int((mass / mass[-1] <= numbers[row]).sum())
        assert abs(tokens.tolist().index(int(drawn[row])) - rank) <= 1, "the right token, or its neighbour by rounding"
    assert torch.allclose(logprobs, logits.log_softmax(-1).gather(1, drawn[:, None])[:, 0], atol=1e-4)
    uniform = torch.full_like(logits, -math.log(logits.shape[1]))
    kl = torch.nn.functional.kl_div(logits.log_softmax(-1), uniform, log_target=True, reduction="none").sum(-1)
    assert torch.allclose(certainties, kl, atol=1e-3)


def test_tokens_that_change_places_by_rounding_change_nothing():
    """Five tokens as likely but for the last digit, in another order each time: a number always finds the same."""
    numbers = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    numbers = numbers[((5 * numbers) % 1 - 0.5).abs() < 0.49]  # at the border of two tokens rounding may decide
    draws = set()
    for seed in range(20):
        logits = 1e-6 * torch.randn(5, generator=torch.Generator().manual_seed(seed))
        drawn, *_ = draw(logits.expand(len(numbers), 5), numbers, Sampling(top_p=1.0))
        draws.add(tuple(drawn.tolist()))
    assert draws == {tuple((5 * numbers).long().tolist())}


def test_seeds_are_the_samples_own():
    seeds = {sample_seed(run, problem, i) for run in range(3) for problem in ("a", "b", "a 1") for i in range(20)}
    assert len(seeds) == 180
    assert sample_seed(0, "HumanEval/0", 0) == 8051074784820905931


def test_an_encoder_writes_no_text(tmp_path: Path):
    with pytest.raises(QprobeError, match="encoder"):
        HfEngine(f"hf:{save_bert(tmp_path)}", Sampling())


def test_a_prompt_longer_than_the_context_is_refused(tiny_llama: Path):
    engine = HfEngine(f"hf:{tiny_llama}", Sampling(max_new_tokens=300))
    engine.check([Request("x", (), 0)])
    with pytest.raises(QprobeError, match="context of 512"):
        engine.check([Request("word " * 300, (), 0)])
