"""A judge behind a real HTTP server: both orders, answers kept, nonsense retried and never a win."""

import json
import math
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.errors import QprobeError
from harness.models.registry import open_engine
from harness.models.sampling import Sampling
from harness.rewards.judge import TRIES, Comparison, Judge, parse_answer

pytest.importorskip("openai", reason="the extra `openai` is not installed")

REPLIES = re.compile(r"\[Reply A\]\n(.*?)\n\n\[Reply B\]\n(.*?)\n\nWhich", re.DOTALL)


class JudgeServer(ThreadingHTTPServer):
    """Prefers the longer reply, A in a prompt that says "bias", and says nonsense in one that says "riddle"."""

    daemon_threads = True
    down = False
    asked = 0

    def answer(self, text: str) -> str:
        self.asked += 1
        match = REPLIES.search(text)
        assert match
        if "riddle" in text:
            return "I cannot compare them." if "twice" not in text or self.asked <= 2 else "A"
        if "bias" in text:
            return "A"
        first, second = map(len, match.groups())
        return "tie" if first == second else "Reply A is better." if first > second else "B"


class Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": self.server.answer(body["messages"][-1]["content"])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._send(503 if self.server.down else 200, {"id": "x", "object": "chat.completion", "choices": [choice]})

    def _send(self, status: int, reply: dict[str, Any]) -> None:
        content = json.dumps({**reply, "created": 0, "model": "judge"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer(("127.0.0.1", 0), Handler) as opened:
        thread = threading.Thread(target=opened.serve_forever, daemon=True)
        thread.start()
        yield opened
        opened.shutdown()
        thread.join(timeout=10)


def judge_of(server: JudgeServer, path: Path) -> Judge:
    spec = f"openai:judge,url=http://127.0.0.1:{server.server_address[1]}/v1,retries=1,concurrency=1"
    return Judge(open_engine(spec, Sampling(temperature=0.7, max_new_tokens=32)), path)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("A", "A"),
        ("b.", "B"),
        (" **B**", "B"),
        ("Answer: A", "A"),
        ("Reply B is better", "B"),
        ("Tie", "tie"),
        ("Both are good", ""),
        ("", ""),
        ("As an AI, I cannot", ""),
        ("[[A]]", "A"),
        ("A, since it says how", "A"),
        ("A\nIt says how", "A"),
        ("B - it says how", "B"),
        ("A tie.", "tie"),
        ("A lot could be said about both", ""),
        ("A is not better", ""),
        ("[not answered] The server at x refuses a prompt", ""),
    ],
)
def test_answers(text: str, answer: str):
    assert parse_answer(text) == answer


def test_verdicts_in_both_orders(server: JudgeServer, tmp_path: Path):
    judge = judge_of(server, tmp_path / "answers.jsonl")
    asked = [Comparison("p", "a long one", "short"), Comparison("p", "short", "a long one"), Comparison("q", "x", "y")]
    cost = judge.cost(asked)
    assert cost.requests == 4, "the first two are one comparison in two orders"
    assert cost.input_tokens > 100
    assert cost.price(1e6, 0) == cost.input_tokens
    verdicts = judge.judge(asked)
    assert [(one.win, one.agrees) for one in verdicts] == [(1.0, True), (0.0, True), (0.5, True)]
    assert server.asked == 4


def test_a_judge_that_prefers_a_place_gives_ties_and_disagrees_with_itself(server: JudgeServer, tmp_path: Path):
    (verdict,) = judge_of(server, tmp_path / "answers.jsonl").judge([Comparison("bias", "one", "two")])
    assert (verdict.win, verdict.agrees) == (0.5, False)


def test_answers_are_kept_and_asked_for_once(server: JudgeServer, tmp_path: Path):
    asked, path = [Comparison("p", "a long one", "short")], tmp_path / "answers.jsonl"
    judge_of(server, path).judge(asked)
    path.write_text(path.read_text() + '{"key": "cut')
    again = judge_of(server, path)
    assert again.cost(asked).requests == 0
    assert again.judge(asked)[0].win == 1.0
    assert server.asked == 2


def test_nonsense_is_asked_for_again_kept_and_never_a_win(server: JudgeServer, tmp_path: Path):
    judge = judge_of(server, tmp_path / "answers.jsonl")
    (verdict,) = judge.judge([Comparison("riddle", "one", "two")])
    assert math.isnan(verdict.win)
    assert verdict.agrees is None
    assert (server.asked, judge.invalid) == (2 * TRIES, 2 * TRIES)
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 2 * TRIES
    assert judge_of(server, tmp_path / "answers.jsonl").cost([Comparison("riddle", "one", "two")]).requests == 0


def test_a_later_valid_answer_counts(server: JudgeServer, tmp_path: Path):
    judge = judge_of(server, tmp_path / "answers.jsonl")
    (verdict,) = judge.judge([Comparison("riddle twice", "one", "two")])
    assert (verdict.win, verdict.agrees, judge.invalid) == (0.5, False, 2)


def test_a_server_that_is_down_loses_nothing(server: JudgeServer, tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    first, second = Comparison("p", "a long one", "short"), Comparison("q", "a long one", "short")
    judge_of(server, path).judge([first])
    server.down = True
    with pytest.raises(QprobeError, match=r"The server at http://127"):
        judge_of(server, path).judge([first, second])
    server.down = False
    judge = judge_of(server, path)
    assert judge.cost([first, second]).requests == 2
    assert [verdict.win for verdict in judge.judge([first, second])] == [1.0, 1.0]


def test_another_file_is_refused(server: JudgeServer, tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"other": 1}\n')
    with pytest.raises(QprobeError, match="line 1: not an answer of a judge"):
        judge_of(server, path)
