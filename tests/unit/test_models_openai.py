"""Servers that are slow, busy, broken or absent: samples, errors, refused fields, proxies, certificates, the key."""

import gc
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import QprobeError
from harness.models.engine import Generated, Request
from harness.models.network import CERTIFICATES
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
    running.words.clear()
    running.erases, running.added, running.half, running.one_shape = (), "", b"HALF", False
    while running.at_work:  # a reply whose client has gone
        time.sleep(0.05)
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
    """Choices that come in another order, and a server that gives fewer than it was asked for."""
    server.faults.append("few")
    drawn = dict(engine(server, ",n=3,concurrency=1").generate([*WORK, Request("y", (), 0)]))
    assert sorted(drawn) == [0, 1, 2, 3, 4]
    assert [body.get("n", 1) for body in server.seen] == [3, 2, 1, 1]
    assert [("seed" in body) for body in server.seen] == [False, False, True, True]


def test_log_probabilities_in_the_shape_of_a_chat(server: ModelServer):
    expected = dict(engine(server).generate(WORK))
    server.one_shape = True
    drawn = dict(engine(server).generate(WORK))
    assert drawn == expected
    assert all(done.logprob is not None and done.least_logprob is not None for done in drawn.values())


def test_what_a_server_refuses_is_left_out(server: ModelServer):
    server.refuses = {"logprobs", "seed", "n"}
    drawn = dict(engine(server, ",n=2,concurrency=1").generate(WORK))
    assert len(drawn) == 4
    assert {done.logprob for done in drawn.values()} == {None}
    assert all(done.tokens for done in drawn.values())
    assert "seed" not in server.seen[-1]


UNSUPPORTED = "Unsupported parameter: '{0}' is not supported with this model."
REFUSALS = {
    "max_tokens": (400, {"message": UNSUPPORTED.format("max_tokens") + " Use 'max_completion_tokens' instead."}),
    "logprobs": (403, {"message": "You are not allowed to request logprobs from this model."}),
    "seed": (422, {"message": "Extra inputs are not permitted", "param": "body.seed"}),
    "n": (400, {"message": "property 'n' is unsupported"}),
    "stop": (400, {"message": UNSUPPORTED.format("stop"), "param": "stop", "code": "unsupported_parameter"}),
    "temperature": (400, {"message": "Unsupported value: 'temperature'. Only the default (1) value is supported."}),
    "top_p": (400, {"message": "Unrecognized request argument supplied: top_p"}),
}
"""Replies of servers to fields that they do not take."""


@pytest.mark.parametrize("refused", [*([field] for field in REFUSALS), list(REFUSALS)])
@pytest.mark.parametrize("chat", [False, True])
def test_a_server_is_asked_in_the_way_that_it_takes(server: ModelServer, refused: list[str], chat: bool):
    """Each field is refused once, and the limit of tokens stays."""
    server.refuses, server.words = set(refused), REFUSALS
    opened = OpenAIEngine(f"openai:tiny,url={server.url},n=2,concurrency=1", Sampling(1, 1, max_new_tokens=6))
    work = [Request("x", ("zz",), seed, chat=chat) for seed in (1, 1, 2)]
    drawn = dict(opened.generate([*work, Request("y", ("zz",), 3, chat=chat)]))
    assert sorted(drawn) == [0, 1, 2, 3]
    accepted = [body for body in server.seen if not server.refuses & body.keys()]
    assert len(server.seen) - len(accepted) <= len(refused)
    assert all(done.tokens is None or 1 <= done.tokens <= 6 for done in drawn.values())
    assert all(body.get("max_tokens", body.get("max_completion_tokens")) == 6 for body in accepted)


@pytest.mark.parametrize(
    ("field", "sampling", "greedy", "says"),
    [
        ("temperature", Sampling(0.8, 1.0), False, "refuses temperature=0.8: give --temperature 1 --top-p 1."),
        ("top_p", Sampling(1.0, 0.95), False, "refuses top_p=0.95: give --temperature 1 --top-p 1."),
        ("temperature", Sampling(1.0, 1.0), True, "give --temperature 1 --top-p 1 and leave out --greedy."),
    ],
)
def test_no_sample_is_drawn_at_another_temperature_than_was_asked_for(
    server: ModelServer, field: str, sampling: Sampling, greedy: bool, says: str
):
    server.refuses, server.words = {field}, REFUSALS
    opened = OpenAIEngine(f"openai:tiny,url={server.url}", sampling)
    with pytest.raises(QprobeError) as caught:
        list(opened.generate([Request("x", (), 1, greedy=greedy)]))
    assert str(caught.value).endswith(says)


def test_a_request_that_is_refused_as_a_whole(server: ModelServer):
    """No field is left out that the server does not name."""
    server.refuses, server.words = {"prompt"}, {"prompt": (400, {"message": "Stop! We do not like it."})}
    with pytest.raises(QprobeError, match=r"refuses the request: .*We do not like it"):
        list(engine(server).generate([Request("x", ("y",), 1)]))
    assert len(server.seen) == 1


def test_as_many_stop_strings_as_a_server_takes(server: ModelServer):
    server.refuses = {"stop"}
    server.words = {"stop": (400, {"message": "Invalid 'stop': array too long. Expected maximum length 5."})}
    client = engine(server, ",concurrency=1")
    stops = tuple("zyxwvut")
    list(client.generate([Request("x", stops, 1), Request("y", stops, 1)]))
    assert [len(body.get("stop", ())) for body in server.seen] == [7, 5, 0, 0]


def test_a_context_that_is_too_short_is_no_refusal_of_a_field(server: ModelServer):
    server.refuses = {"max_tokens"}
    words = "'max_tokens' or 'max_completion_tokens' is too large: 6. This model's maximum context length is 5 tokens"
    server.words = {"max_tokens": (400, {"message": words, "param": "max_tokens"})}
    with pytest.raises(QprobeError, match="exceed the model's context"):
        list(engine(server).generate(WORK))


def test_special_tokens_as_stop_strings(server: ModelServer):
    """A server that leaves them out of its text is told to keep them, unless it refuses that field."""
    server.erases, server.added = ("<file_sep>",), "<file_sep>b"
    kept = dict(engine(server).generate([Request("x", ("<file_sep>",), 1)]))[0]
    assert kept.text.endswith("<file_sep>b")
    server.refuses, server.words = {"skip_special_tokens"}, {"skip_special_tokens": (400, {"message": "no"})}
    erased = dict(engine(server).generate([Request("x", ("<file_sep>",), 1)]))[0]
    assert erased.text == kept.text.replace("<file_sep>", "")
    server.seen.clear()
    list(engine(server).generate([Request("x", ("\ndef", "if a < b > c"), 1)]))
    assert "skip_special_tokens" not in server.seen[0]


@pytest.mark.parametrize(("codes", "kept"), [([0xD83D], "\ufffd"), ([0xDE00], "\ufffd"), ([0xD83D, 0xDE00], "😀")])
@pytest.mark.parametrize("chat", [False, True])
def test_half_a_character(server: ModelServer, codes: list[int], kept: str, chat: bool):
    """JSON may hold half a surrogate pair: it is U+FFFD, and all else is as it was; in what is sent too."""
    added = "".join(map(chr, codes))
    plain = dict(engine(server).generate([Request("x", (), 1, chat=chat)]))[0]
    server.added = added
    done = dict(engine(server).generate([Request("x", (), 1, chat=chat)]))[0]
    assert done.text == plain.text + kept
    list(engine(server).generate([Request("x" + added, (f"z{added}",), 1, chat=chat)]))
    assert server.seen[-1]["stop"] == [f"z{kept}"]
    reader = OpenAIEmbedder(f"openai:tiny,url={server.url}")
    assert text_of(reader.tokenise(Text.of(f"x{added}", f"{added}y")).ids) == f"x{kept}{kept}y"


@pytest.mark.parametrize("half", [b"\xf0\x9f\x99", b"\xff", b"\xc3"])
@pytest.mark.parametrize("chat", [False, True])
def test_bytes_that_are_no_utf_8(server: ModelServer, half: bytes, chat: bool):
    """Other samples of the same reply are as they were."""
    request = Request("x", (), 1, chat=chat)
    plain = texts(dict(engine(server, ",n=2").generate([request, request])))
    server.added, server.half = "HALF é", half
    server.seen.clear()  # the server's seed
    drawn = texts(dict(engine(server, ",n=2").generate([request, request])))
    assert [text.replace("\ufffd", "") for text in drawn] == [text.replace("\ufffd", "") + " é" for text in plain]


PROXIES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies and certificates."""
    for name in (*PROXIES, *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_proxy(server: ModelServer, bare: pytest.MonkeyPatch):
    """The server stands in as the proxy to a host that does not exist."""
    spec = "openai:tiny,url=http://models.invalid/v1,retries=1"
    direct = texts(dict(engine(server).generate(WORK[:2])))
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        with bare.context() as patch:
            patch.setenv(variable, server.url.removesuffix("/v1").replace("//", "//me:secret@"))
            through = OpenAIEngine(spec, Sampling(max_new_tokens=6))
            through.check(WORK)
            assert texts(dict(through.generate(WORK[:2]))) == direct
    bare.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:9")
    with pytest.raises(QprobeError, match=r"through the proxy http://127.0.0.1:9 of HTTP_PROXY") as caught:
        OpenAIEngine(spec, Sampling()).check(WORK)
    assert "secret" not in str(caught.value)
    for hosts in ("127.0.0.1", "localhost, 127.0.0.0/8", "*"):
        bare.setenv("NO_PROXY", hosts)
        engine(server).check(WORK)
    bare.setenv("NO_PROXY", "models.invalid")
    with pytest.raises(QprobeError, match="does not answer: start it"):
        OpenAIEngine(spec, Sampling()).check(WORK)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("socks5://127.0.0.1:1080", "ALL_PROXY=socks5://127.0.0.1:1080 needs the package socksio: pip install socksio"),
        ("socks://127.0.0.1:1080", "has the unknown scheme 'socks'. Choose from http, https, socks5, socks5h"),
        ("http://127.0.0.1:port", "ALL_PROXY=http://127.0.0.1:port is not the address of a proxy"),
        ("http://", "is not the address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used(server: ModelServer, bare: pytest.MonkeyPatch, value: str, says: str):
    """Unless nothing is to go through it."""
    if "socksio" in says and find_spec("socksio"):
        pytest.skip("socksio is installed")
    bare.setenv("ALL_PROXY", value)
    for kind in (OpenAIEmbedder, lambda spec: OpenAIEngine(spec, Sampling())):
        with pytest.raises(QprobeError) as caught:
            kind(f"openai:tiny,url={server.url}")
        assert says in str(caught.value)
    bare.setenv("no_proxy", "127.0.0.1")
    engine(server).check(WORK)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that no authority has signed, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out own.pem -days 2 -subj /CN=own"
    try:
        subprocess.run([*command.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True)
    except OSError:
        pytest.skip("openssl is not installed")
    return folder / "own.pem"


def test_certificates(tiny_llama: Path, bare: pytest.MonkeyPatch, certificate: Path):
    """Those of a variable are trusted; a variable that is wrong is named, but only where it is needed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with serve(tiny_llama, tls) as server:
        spec = f"openai:tiny,url={server.url.replace('http', 'https')},retries=1"
        with pytest.raises(QprobeError, match=r"not trusted \(.*\): name its authority's file in SSL_CERT_FILE"):
            OpenAIEngine(spec, Sampling()).check(WORK)
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            with bare.context() as patch:
                patch.setenv(variable, str(certificate))
                client = OpenAIEngine(spec, Sampling(max_new_tokens=6))
                client.check(WORK)
                assert len(dict(client.generate(WORK))) == len(WORK)
        for path, says in [("/nonexistent.pem", "does not exist"), (__file__, "holds no readable certificates")]:
            bare.setenv("SSL_CERT_FILE", path)
            with pytest.raises(QprobeError, match=f"SSL_CERT_FILE names {path}, which {says}"):
                OpenAIEngine(spec, Sampling())
    bare.setenv("OPENAI_API_KEY", "x")
    assert OpenAIEngine("openai:tiny,url=http://127.0.0.1:9/v1", Sampling()).name == "openai:tiny"


@pytest.mark.parametrize("faults", [["401"] * 9, ["", "401", "500", "cut", "401", "nonsense", "401", "500"]])
def test_many_requests_that_fail_at_once_are_one_error(
    server: ModelServer, faults: list[str], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    """asyncio logs the errors of tasks that were never awaited, when they are collected."""
    for _ in range(5):
        server.faults.extend(faults)
        with pytest.raises(QprobeError):
            list(engine(server, ",retries=1").generate([Request("x", (), seed) for seed in range(9)]))
        server.faults.clear()
        gc.collect()
    assert capfd.readouterr().err == ""
    assert "never retrieved" not in caplog.text


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


RULES = {"top_k": 3, "min_p": 0.1, "repetition_penalty": 1.2}


def test_options_that_the_protocol_lacks(server: ModelServer):
    """As vLLM and SGLang name them, and none of them unless it is given."""
    told = Sampling(max_new_tokens=6, system_prompt="Hi", chat_template_kwargs={"enable_thinking": False}, **RULES)
    asked = [Request("x", (), 3, chat=True)]
    list(OpenAIEngine(f"openai:tiny,url={server.url}", told).generate(asked))
    sent = server.seen[-1]
    assert {name: sent[name] for name in RULES} == RULES
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    list(engine(server).generate(asked))
    assert not {*RULES, "chat_template_kwargs"} & server.seen[-1].keys()


@pytest.mark.parametrize("field", [*RULES, "chat_template_kwargs"])
def test_an_option_that_a_server_refuses_is_never_left_out(server: ModelServer, field: str):
    server.refuses = {field}
    told = Sampling(max_new_tokens=6, chat_template_kwargs={"x": 1}, **RULES)
    with pytest.raises(QprobeError, match=f"refuses {field}: leave out --{field.replace('_', '-')}, or use another"):
        list(OpenAIEngine(f"openai:tiny,url={server.url}", told).generate([Request("x", (), 3, chat=True)]))


def test_an_option_that_openai_lacks_is_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(QprobeError, match="has no min_p: leave out --min-p, or name another server in url="):
        OpenAIEngine("openai:gpt", Sampling(min_p=0.1))


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        (["500"] * 3, "failed"),
        (["429"] * 3, "too many requests"),
        (["cut"] * 3, "does not answer"),
        (["401"], "refuses the key"),
        (["nonsense"], "does not answer in OpenAI's protocol"),
        (["html"], "does not answer in OpenAI's protocol"),
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
    with pytest.raises(QprobeError, match=r"has no model 'huge'\. Choose from tiny"):
        OpenAIEngine(f"openai:huge,url={server.url}", Sampling()).check(WORK)


def test_options_and_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for spec, says in [
        ("openai:gpt", "environment variable OPENAI_API_KEY"),
        ("openai:gpt,url=http://x/v1,key_env=MY_KEY", "environment variable MY_KEY"),
        ("openai:gpt,api_key=sk-1", "Unknown option 'api_key' of openai"),
        ("openai:gpt,url=http://me:secret@x/v1", "would be stored"),
        ("openai:gpt,url=localhost:8000", "is not an address"),
        ("openai:gpt,url=http://x/v1,n=0", "whole number from 1"),
    ]:
        with pytest.raises(QprobeError, match=says) as caught:
            OpenAIEngine(spec, Sampling())
        assert "secret" not in str(caught.value)


def test_without_the_client(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["harness.models.openai.server"], "openai", None)
    with pytest.raises(QprobeError, match="pip install openai"):
        OpenAIEngine("openai:gpt", Sampling())


def test_embeddings(server: ModelServer):
    """As a stage of a run, which asks again where the server fails."""
    reader = OpenAIEmbedder(f"openai:tiny,url={server.url}")
    texts = [Text.of("p" * n, "é" * n) for n in range(131)]
    server.faults.append("500")
    vectors = reader.embed([reader.tokenise(text) for text in texts], reader.views)
    assert (reader.width, vectors.dtype, vectors.shape) == (2, np.float32, (131, 1, 2))
    assert vectors[:, 0, 0].tolist() == [1, *(2 * n for n in range(1, 131))]
    sizes = [len(body["input"]) for body in server.seen]
    assert sizes.count(64) + sizes.count(3) == 4, "one was asked for twice, whichever came first"
    server.faults.append("nonsense")
    with pytest.raises(QprobeError, match="does not answer in OpenAI's protocol"):
        reader.embed([reader.tokenise(texts[1])], reader.views)
    with pytest.raises(QprobeError, match="leave out --layers and --pooling"):
        OpenAIEmbedder(f"openai:tiny,url={server.url}", layers="all")


@settings(max_examples=50, deadline=None)
@given(prompt=st.text(max_size=9), completion=st.text(max_size=9))
def test_a_text_is_what_the_embeddings_server_is_given(prompt: str, completion: str):
    tokens = OpenAIEmbedder("openai:tiny,url=http://127.0.0.1:9/v1").tokenise(Text.of(prompt, completion, "stop"))
    assert text_of(tokens.ids) == prompt + completion
    assert text_of(list(tokens.prefix)) == prompt
