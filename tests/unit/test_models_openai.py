"""A server that is slow, busy, broken or no server at all: what is kept, what is said, and that the key is nowhere."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import QprobeError
from harness.models.engine import Generated, Request
from harness.models.openai.embedder import OpenAIEmbedder, text_of
from harness.models.openai.engine import OpenAIEngine
from harness.models.openai.server import seconds
from harness.models.sampling import Sampling
from harness.models.tokens import Text
from tests.model_server import ModelServer, serve

KEY = "sk-very-secret-1234567890"
WORK = [Request("x", (), seed) for seed in range(4)]


@pytest.fixture(scope="module")
def running(tiny_llama: Path) -> Iterator[ModelServer]:
    with serve(tiny_llama) as server:
        yield server


@pytest.fixture
def server(running: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    running.faults.clear()
    running.seen.clear()
    running.refuses.clear()
    running.most_at_work = 0
    return running


def engine(server: ModelServer, options: str = "") -> OpenAIEngine:
    return OpenAIEngine(f"openai:tiny,url={server.url}{options}", Sampling(max_new_tokens=6))


def texts(drawn: dict[int, Generated]) -> list[str]:
    return [drawn[position].text for position in sorted(drawn)]


def test_busy_broken_cut_and_slow_replies_are_tried_again(server: ModelServer):
    expected = texts(dict(engine(server).generate(WORK)))
    server.faults.extend(["429", "500", "cut", "slow", "429"])
    assert texts(dict(engine(server, ",timeout=1").generate(WORK))) == expected
    assert server.keys == {f"Bearer {KEY}"}


def test_several_samples_a_request(server: ModelServer):
    """GridOverrides that come in another order, and a server that gives fewer than it was asked for."""
    server.faults.append("few")
    drawn = dict(engine(server, ",n=3,concurrency=1").generate([*WORK, Request("y", (), 0)]))
    assert sorted(drawn) == [0, 1, 2, 3, 4]
    assert [body.get("n", 1) for body in server.seen] == [3, 2, 1, 1]
    assert [("seed" in body) for body in server.seen] == [False, False, True, True]


def test_what_a_server_refuses_is_left_out(server: ModelServer):
    server.refuses = {"logprobs", "seed", "n"}
    drawn = dict(engine(server, ",n=2,concurrency=1").generate(WORK))
    assert len(drawn) == 4
    assert {done.logprob for done in drawn.values()} == {None}
    assert all(done.tokens for done in drawn.values())
    assert "seed" not in server.seen[-1]


def test_no_more_requests_at_once_than_allowed(server: ModelServer):
    list(engine(server, ",concurrency=2").generate(WORK * 3))
    assert server.most_at_work == 2


def test_the_rate_limit_headers_are_kept_to(server: ModelServer):
    server.faults.append("pace")
    start = time.monotonic()
    assert len(dict(engine(server, ",concurrency=1").generate(WORK[:2]))) == 2
    assert time.monotonic() - start >= 0.3
    assert [seconds(text) for text in ("6m0s", "1.5s", "120ms", "1h2m", "soon")] == [360, 1.5, 0.12, 3720, 1]


def test_chat(server: ModelServer):
    done = dict(engine(server).generate([Request("x", (), 3, chat=True)]))[0]
    assert server.seen[-1]["messages"] == [{"role": "user", "content": "x"}]
    assert done == dict(engine(server).generate([Request("x", (), 3)]))[0]


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        (["500"] * 3, "failed"),
        (["429"] * 3, "ask too much"),
        (["cut"] * 3, "does not answer"),
        (["401"], "refuses the key"),
        (["nonsense"], "does not answer as OpenAI's do"),
        (["html"], "does not answer as OpenAI's do"),
    ],
)
def test_what_was_drawn_is_kept_when_the_server_fails(server: ModelServer, faults: list[str], says: str):
    coming = engine(server, ",concurrency=1,retries=1").generate([*WORK[:2], Request("y", (), 1)])
    assert sorted(position for position, _ in (next(coming), next(coming))) == [0, 1]
    server.faults.extend(faults)
    with pytest.raises(QprobeError, match=says) as caught:
        next(coming)
    assert KEY not in str(caught.value)


def test_a_prompt_longer_than_the_context(server: ModelServer):
    with pytest.raises(QprobeError, match=r"exceed the model's context: lower --max-new-tokens"):
        list(engine(server).generate([Request("x" * 3000, (), 1)]))


def test_a_server_that_is_not_there(server: ModelServer):
    with pytest.raises(QprobeError, match="does not answer: start it"):
        OpenAIEngine("openai:tiny,url=http://127.0.0.1:9/v1", Sampling()).check(WORK)
    with pytest.raises(QprobeError, match="has no model huge: it has tiny"):
        OpenAIEngine(f"openai:huge,url={server.url}", Sampling()).check(WORK)


def test_options_and_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for spec, says in [
        ("openai:gpt", "environment variable OPENAI_API_KEY"),
        ("openai:gpt,url=http://x/v1,key_env=MY_KEY", "environment variable MY_KEY"),
        ("openai:gpt,api_key=sk-1", "no option 'api_key'"),
        ("openai:gpt,url=http://me:secret@x/v1", "would be written down"),
        ("openai:gpt,url=localhost:8000", "is no address"),
        ("openai:gpt,url=http://x/v1,n=0", "whole number from 1"),
    ]:
        with pytest.raises(QprobeError, match=says) as caught:
            OpenAIEngine(spec, Sampling())
        assert "secret" not in str(caught.value)


def test_without_the_client(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["harness.models.openai.server"], "openai", None)
    with pytest.raises(QprobeError, match=r"pip install 'qprobe\[openai\]'"):
        OpenAIEngine("openai:gpt", Sampling())


def test_embeddings(server: ModelServer):
    """As a stage of a run, which asks again where the server fails."""
    reader = OpenAIEmbedder(f"openai:tiny,url={server.url}")
    texts = [Text.of("p" * n, "é" * n) for n in range(131)]
    server.faults.append("500")
    vectors = reader.embed([reader.tokenise(text) for text in texts], reader.views)
    assert (reader.width, vectors.dtype, vectors.shape) == (2, np.float32, (131, 1, 2))
    assert vectors[:, 0, 0].tolist() == [1, *(2 * n for n in range(1, 131))]
    assert sorted(len(body["input"]) for body in server.seen)[-3:] == [64, 64, 64], "one was asked for twice"
    server.faults.append("nonsense")
    with pytest.raises(QprobeError, match="does not answer as OpenAI's do"):
        reader.embed([reader.tokenise(texts[1])], reader.views)
    with pytest.raises(QprobeError, match="leave out --layers and --pooling"):
        OpenAIEmbedder(f"openai:tiny,url={server.url}", layers="all")


@settings(max_examples=50, deadline=None)
@given(prompt=st.text(max_size=9), completion=st.text(max_size=9))
def test_a_text_is_what_the_embeddings_server_is_given(prompt: str, completion: str):
    tokens = OpenAIEmbedder("openai:tiny,url=http://127.0.0.1:9/v1").tokenise(Text.of(prompt, completion, "stop"))
    assert text_of(tokens.ids) == prompt + completion
    assert text_of(list(tokens.prefix)) == prompt
