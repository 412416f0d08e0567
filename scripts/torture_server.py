"""A server of OpenAI's protocol for scripts/torture.py: completions follow from seeds, faults from another."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PROBLEMS, SAMPLES = 8, 6
FAULTS = ("stall", "cut", "garbage", "html", "500", "429")
STALL_SECONDS = 4


class FaultyServer(ThreadingHTTPServer):
    """Answers every request with a right or a wrong program, or not at all."""

    daemon_threads = True

    def __init__(self, benchmark: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.inflicted: Counter[str] = Counter()
        self._benchmark = benchmark
        self._rng: random.Random | None = None
        self._lock = threading.Lock()

    def command(self, run: Path, sandbox: str = "process") -> list[str]:
        """Return the command that draws from this server, and grades."""
        model = f"openai:numbers,url=http://127.0.0.1:{self.server_address[1]}/v1,timeout=3,retries=2,concurrency=4"
        words = ["eval", str(run), "--benchmark", str(self._benchmark), "--model", model, "--k", str(SAMPLES)]
        return [*words, "--sandbox", sandbox, "--workers", "1", "--regrade", "4"]

    @contextmanager
    def faults(self, seed: int) -> Iterator[None]:
        """Fail at about every third request within the block."""
        self._rng = random.Random(seed)
        try:
            yield
        finally:
            self._rng = None

    def next_fault(self) -> str:
        """Return what becomes of a request; "" for an answer."""
        with self._lock:
            fault = self._rng.choice(FAULTS) if self._rng and self._rng.random() < 1 / 3 else ""
            self.inflicted.update([fault] if fault else [])
        return fault

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(200, json.dumps({"object": "list", "data": [{"id": "numbers", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.next_fault()
        if fault == "stall":
            time.sleep(STALL_SECONDS)
        elif fault in ("500", "429"):
            self._send(int(fault), b'{"error": {"message": "not now"}}', {"Retry-After": "0.05"})
        elif fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choi')
            self.connection.close()
        elif fault == "garbage":
            self._send(200, random.randbytes(200))
        elif fault == "html":
            self._send(200, b"<html>welcome</html>", kind="text/html")
        else:
            self._answer(body)

    def _answer(self, body: dict[str, object]) -> None:
        rng = random.Random(f"{body['prompt']}{body.get('seed')}")
        text = f"    return {rng.randrange(PROBLEMS)}  # {rng.randrange(99)}\n"
        choice = {"index": 0, "finish_reason": "stop", "text": text, "logprobs": None}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self._send(200, json.dumps({"id": "x", "model": "numbers", "choices": [choice], "usage": usage}).encode())

    def _send(
        self, status: int, content: bytes, headers: dict[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def faulty_server(benchmark: Path) -> Iterator[FaultyServer]:
    """A server at work until the block ends. Writes the benchmark whose prompts it answers."""
    rows = [
        {"id": f"K/{n}", "prompt": f"def f{n}():\n", "entry_point": f"f{n}", "tests": f"assert f{n}() == {n}"}
        for n in range(PROBLEMS)
    ]
    benchmark.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    server = FaultyServer(benchmark)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
