"""A real HTTP server that speaks OpenAI's protocol, wrapping a small transformers model, and fails when told to."""

import json
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.models.engine import Generated, Request
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling


class ModelServer(ThreadingHTTPServer):
    """Serves one model; `faults` are what becomes of the next requests: "429", "500", "cut", "slow", "filter", ..."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.engine = HfEngine(f"hf:{folder}", Sampling(max_new_tokens=8), device="cpu")
        self.faults: deque[str] = deque()
        self.seen: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.refuses: set[str] = set()
        self.words: dict[str, tuple[int, dict[str, Any]]] = {}  # field -> status and error, where not the usual ones
        self.one_shape = False  # log-probabilities of completions in the shape of a chat's, as llama.cpp has them
        self.erases: tuple[str, ...] = ()  # special tokens left out of a text, as vLLM does unless told not to
        self.half = b"HALF"  # what stands in replies for this word
        self.added = ""  # put behind every text as JSON holds it
        self.lock = threading.Lock()
        self.at_work = self.most_at_work = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing of clients that went away: tests read standard error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def draw(self, body: dict[str, Any], prompt: str, *, chat: bool = False) -> list[Generated]:
        """n completions of a prompt, a chat in its template; a sample's seed is the request's plus its place."""
        engine = self.engine
        temperature, top_p = body.get("temperature", 1.0), body.get("top_p", 1.0)
        most = body.get("max_completion_tokens") or body["max_tokens"]
        rules = {name: body[name] for name in ("top_k", "min_p", "repetition_penalty") if name in body}
        engine.sampling = Sampling(temperature, top_p, most, **rules)
        seed = body.get("seed", len(self.seen))
        chat = chat and bool(engine.model.tokenizer.chat_template)
        stop = tuple(body.get("stop") or ())
        requests = [Request(prompt, stop, seed + i, chat=chat) for i in range(body.get("n", 1))]
        completions = dict(engine.generate(requests))
        return [completions[i] for i in range(len(requests))]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: ModelServer
    counted = False  # among the requests at work

    def log_message(self, *_: object) -> None:
        """Nothing: tests read standard error."""

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.seen.append(body)
            self.server.keys.add(self.headers.get("Authorization", ""))
            fault = self.server.faults.popleft() if self.server.faults else ""
            self.server.at_work += 1
            self.server.most_at_work = max(self.server.at_work, self.server.most_at_work)
            self.counted = True
        try:
            self._answer(body, fault)
        finally:
            self._leave()

    def _leave(self) -> None:
        """Count the request as done; before its reply is written, since the client asks anew as soon as it has it."""
        with self.server.lock:
            self.server.at_work -= self.counted
            self.counted = False

    def _answer(self, body: dict[str, Any], fault: str) -> None:
        if fault in ("429", "500", "401"):
            message = f"you sent {self.headers.get('Authorization')}"
            self._send(int(fault), {"error": {"message": message}}, {"Retry-After": "0.05"} if fault == "429" else {})
        elif fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choi')
            self.connection.close()
        elif fault == "filter":
            error = {"message": "The prompt triggered the content management policy.", "code": "content_filter"}
            self._send(400, {"error": error})
        elif fault == "nonsense":
            self._send(200, {"hello": "world"})
        elif fault == "html":
            self._raw(200, b"<html>welcome</html>", "text/html")
        elif refused := self.server.refuses & set(body):
            field = min(refused)
            usual = 400, {"message": f"unknown field '{field}'", "param": field}
            status, error = self.server.words.get(field, usual)
            self._send(status, {"error": error})
        else:
            if fault == "slow":
                time.sleep(1.5)
            self._work(body, fault)

    def _work(self, body: dict[str, Any], fault: str) -> None:
        if self.path.endswith("/embeddings"):
            rows = [{"index": i, "embedding": [float(len(text)), float(i)]} for i, text in enumerate(body["input"])]
            self._send(200, {"data": rows[::-1], "model": "tiny"})
            return
        chat = self.path.endswith("/chat/completions")
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        if len(prompt) > 2000:
            error = {"message": "This model's maximum context length is 512 tokens.", "code": "context_length_exceeded"}
            self._send(400, {"error": error})
            return
        with self.server.lock:
            drawn = self.server.draw(body, prompt, chat=chat)
        drawn = drawn[:1] if fault == "few" else drawn
        headers = (
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"} if fault == "pace" else {}
        )
        choices = [self._choice(i, completion, body, chat=chat) for i, completion in enumerate(drawn)]
        if fault == "refusal":
            choices = [
                {**choice, "message": {"role": "assistant", "content": None, "refusal": "No."}} for choice in choices
            ]
        usage = {
            "prompt_tokens": 1,
            "completion_tokens": sum(completion.tokens or 0 for completion in drawn),
            "total_tokens": 1,
        }
        self._send(200, {"id": "x", "model": "tiny", "choices": choices[::-1], "usage": usage}, headers)

    def _choice(self, index: int, drawn: Generated, body: dict[str, Any], *, chat: bool) -> dict[str, Any]:
        token_logprob = (drawn.logprob or 0.0) / (drawn.tokens or 1)
        told: dict[str, Any] | None = None
        if body.get("logprobs"):
            tokens = drawn.tokens or 0
            told = (
                {"content": [{"token": "x", "logprob": token_logprob, "top_logprobs": []}] * tokens}
                if chat or self.server.one_shape
                else {"token_logprobs": [token_logprob] * tokens, "tokens": ["x"] * tokens}
            )
        written = drawn.text + self.server.added
        for token in self.server.erases if body.get("skip_special_tokens", True) else ():
            written = written.replace(token, "")
        text = {"message": {"role": "assistant", "content": written}} if chat else {"text": written}
        return {"index": index, "finish_reason": drawn.finish_reason, "logprobs": told, **text}

    def _send(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode().replace(b"HALF", self.server.half)
        self._raw(status, content, "application/json", headers)

    def _raw(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._leave()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serve(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[ModelServer]:
    """A server at work until the block ends; over https with a context that holds a certificate."""
    server = ModelServer(folder)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
