"""The contract of engines: one suite, run with every engine."""

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from harness.models.engine import Engine, Request
from harness.models.registry import ENGINES, open_engine
from harness.models.sampling import Sampling
from tests.model_server import serve
from tests.tiny_models import save_llama, save_mamba

Opened = Callable[[Sampling], Engine]


@pytest.fixture(
    scope="module",
    params=[
        "hf",
        "hf, the slower way",
        "openai",
        pytest.param("vllm", marks=pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed")),
        pytest.param("hf on a GPU", marks=pytest.mark.gpu),
    ],
)
def opened(
    request: pytest.FixtureRequest, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """Opens the engine with a way of sampling."""
    if request.param == "openai":
        with serve(tiny_llama) as server:
            yield lambda sampling: open_engine(f"openai:tiny,url={server.url}", sampling)
        return
    if request.param == "hf on a GPU" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    slower = request.param == "hf, the slower way"
    folder = save_mamba(tmp_path_factory.mktemp("mamba")) if slower else tiny_llama
    if request.param == "vllm":  # its kernels are for heads that are wider
        folder = save_llama(tmp_path_factory.mktemp("llama"), width=256)
    scheme, device = request.param[:4].strip(" ,"), "cuda" if "GPU" in request.param else "cpu"
    yield lambda sampling: open_engine(f"{scheme}:{folder}", sampling, device=device)


def work(count: int, stop: tuple[str, ...] = ()) -> list[Request]:
    return [Request("def f():\n" if i % 2 else "x", stop, 100 + i) for i in range(count)]


def test_every_request_is_answered_once(opened: Opened):
    engine = opened(Sampling(max_new_tokens=6))
    engine.check(work(7))
    positions = [position for position, _ in engine.generate(work(7))]
    assert sorted(positions) == list(range(7))
    assert list(engine.generate([])) == []


def test_what_is_kept_of_a_completion(opened: Opened):
    for done in dict(opened(Sampling(max_new_tokens=6)).generate(work(4))).values():
        assert done.finish_reason in ("stop", "length")
        assert done.tokens is not None
        assert 1 <= done.tokens <= 6
        assert done.logprob is not None
        assert done.logprob < 0
        assert done.token_ids == () or len(done.token_ids) == done.tokens


def test_rules_of_sampling(opened: Opened):
    """One token to draw from is the greedy text, which a penalty then changes."""
    free, cold = (opened(Sampling(temperature, 1.0, 12)) for temperature in (2.0, 0.0))
    greedy = texts(cold)
    assert texts(free) != greedy
    assert texts(opened(Sampling(2.0, 1.0, 12, top_k=1))) == greedy
    assert texts(opened(Sampling(2.0, 1.0, 12, min_p=1.0))) == greedy
    assert texts(opened(Sampling(0.0, 1.0, 12, repetition_penalty=50.0))) != greedy


def texts(engine: Engine) -> list[str]:
    drawn = dict(engine.generate(work(4)))
    return [drawn[at].text for at in range(4)]


def test_a_stop_string_ends_a_completion(opened: Opened):
    engine = opened(Sampling(max_new_tokens=12))
    free = dict(engine.generate(work(6)))
    stops = tuple("abcdefghijklmnopqrstuvwxyz")
    stopped = dict(engine.generate(work(6, stops)))
    assert any(done.finish_reason == "stop" for done in stopped.values())
    for position, done in stopped.items():
        assert free[position].text.startswith(re.split("[a-z]", done.text)[0].rstrip("\ufffd"))
        if done.finish_reason == "length":
            assert not re.search("[a-z]", done.text)


def test_a_seed_gives_its_sample_wherever_it_stands(opened: Opened):
    """After a resume, in another order, with others beside it."""
    engine = opened(Sampling(max_new_tokens=8))
    together = dict(engine.generate(work(6)))
    resumed = dict(engine.generate(work(6)[:2:-1]))
    assert [resumed[i].text for i in range(3)] == [together[5 - i].text for i in range(3)]
    assert len({done.text for done in together.values()}) > 3


def test_greedy_completions_have_no_seed(opened: Opened):
    engine = opened(Sampling(max_new_tokens=6))
    drawn = dict(engine.generate([Request("x", (), seed, greedy=True) for seed in (1, 2)] + work(2)))
    assert drawn[0].text == drawn[1].text


def test_an_engine_says_what_it_is(opened: Opened):
    warm, cold = opened(Sampling()), opened(Sampling(temperature=0.1))
    assert warm.name.partition(":")[0] in ENGINES
    assert warm.identity == opened(Sampling()).identity != cold.identity
    assert warm.prompt_text(Request("x", (), 0)) == "x"
    assert warm.caveat == "" or warm.caveat.endswith(".")
