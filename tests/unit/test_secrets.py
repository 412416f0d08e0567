"""A planted key is in no log, store, report, tracker or message, even where a server sends it back."""

import logging
import os
import sqlite3
import sys
import traceback
from pathlib import Path

import pytest

from harness.commands.log import log_internal_error, open_log
from harness.errors import QprobeError
from harness.models.engine import Sampling
from harness.models.openai.engine import OpenAIEngine
from harness.reports import trackers
from harness.runs.config_file import keep_config
from harness.runs.provenance import note_stage
from harness.runs.store import Store
from harness.secrets import HIDDEN, redacted
from tests.command import qprobe
from tests.made_run import fill
from tests.model_server import ModelServer, serve

KEY = "sk-planted-0123456789abcdef"


@pytest.fixture(scope="module")
def running(tiny_llama: Path):
    with serve(tiny_llama) as server:
        yield server


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


def holders(folder: Path) -> list[Path]:
    """The files that hold the key; the rows of a database are read too."""
    found = [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    for path in folder.rglob("run.sqlite"):
        dump = "\n".join(sqlite3.connect(f"file:{path}?mode=ro", uri=True).iterdump())
        found += [path] if KEY in dump else []
    return found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MY_API_KEY", KEY), ("HF_TOKEN", KEY), ("wandb_api_key", KEY), ("APP_SECRET", KEY), ("PGPASSWORD", ""),
        ("APIKEY", KEY), ("HTTPS_PROXY", f"http://me:{KEY}@proxy:3128"), ("all_proxy", f"me:{KEY}@proxy:1"),
    ],
)  # fmt: skip
def test_the_secrets_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    text = f"Bearer {KEY}, and again {KEY}"
    assert redacted(text) == text
    monkeypatch.setenv(name, value)
    assert redacted(text) == (f"Bearer {HIDDEN}, and again {HIDDEN}" if value else text)


def test_short_values_and_other_variables_are_no_secrets(monkeypatch: pytest.MonkeyPatch):
    for name, value in (("X_KEY", "none"), ("MONKEY", "elephants"), ("KEYBOARD", "querty-and-more")):
        monkeypatch.setenv(name, value)
    assert redacted("none elephants querty-and-more") == "none elephants querty-and-more"


def test_a_server_that_sends_the_key_back(running: ModelServer, tmp_path: Path, key: str):
    """In completions, in errors and in nonsense, with the log of -v open: no file and no output holds it."""
    folder, bench = tmp_path / "run", tmp_path / "b.jsonl"
    bench.write_text('{"id": "a", "prompt": "def f():\\n", "entry_point": "f", "tests": "assert f()"}\n')
    drawing = ["generate", str(folder), "--benchmark", str(bench), "--k", "3", "--max-new-tokens", "4"]
    model = f"openai:tiny,url={running.url},key_env=PLANTED,retries=1"
    running.added = f" Authorization: Bearer {key}"
    try:
        done = [qprobe("-v", *drawing, "--model", model, PLANTED=key)]
        assert done[0].returncode == 0, done[0].stderr
        assert f"Bearer {key}" in running.keys, "it was sent"
        with Store(folder, read_only=True) as store:
            assert all(HIDDEN in completion.text for completion in store.completions())
        for fault in ("401", "500", "429"):
            running.faults.extend([fault] * 3)
            again = [*drawing[:5], "9", *drawing[6:], "--seed", "0"]
            done.append(qprobe("-v", *again, "--model", model, PLANTED=key))
            running.faults.clear()
        done.append(qprobe("grade", str(folder), "--sandbox", "process", "--workers", "1"))
        done.append(qprobe("report", str(folder)))
    finally:
        running.added = ""
    assert any(HIDDEN in one.stderr for one in done), "the server's message was shown"
    assert not any(key in one.stdout + one.stderr for one in done)
    logs = [path for path in Path.cwd().glob("qprobe-*.log") if path.stat().st_mtime > bench.stat().st_mtime]
    assert logs
    assert not any(key in path.read_text() for path in logs)
    for path in logs:
        path.unlink()
    assert holders(tmp_path) == []


def test_an_exception_and_its_causes(running: ModelServer, key: str):
    engine = OpenAIEngine(f"openai:tiny,url={running.url},retries=1", Sampling(max_new_tokens=2))
    running.faults.append("401")
    from harness.models.engine import Request

    with pytest.raises(QprobeError) as caught:
        list(engine.generate([Request("x", (), 0)]))
    shown = "".join(traceback.format_exception(caught.value))
    assert HIDDEN in shown
    assert key not in shown
    assert key not in repr(vars(caught.value.__cause__))


@pytest.mark.parametrize("url", ["http://x/v1?api_key=abc", "http://x/v1?a=1&token=abc", f"http://x/{KEY}/v1"])
def test_a_key_in_an_address_is_refused(url: str, key: str):
    with pytest.raises(QprobeError, match="would be stored") as caught:
        OpenAIEngine(f"openai:gpt,url={url}", Sampling())
    assert "abc" not in str(caught.value)
    assert key not in str(caught.value)


def test_logs(tmp_path: Path, key: str):
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    path = open_log(tmp_path)
    try:
        logging.getLogger("httpx").debug("headers %s", {"Authorization": f"Bearer {key}"})
        log_internal_error(ValueError(f"bad {key}"))
    finally:
        for handler in set(root.handlers) - set(before):
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)
    assert path.read_text().count(HIDDEN) >= 2
    assert key not in path.read_text()


def test_the_log_of_an_internal_error(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own is a file's
    path = Path(log_internal_error(ValueError(f"bad {key}")))
    assert HIDDEN in path.read_text()
    assert key not in path.read_text()
    path.unlink()


def test_provenance_and_configuration(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["qprobe", "generate", "--model", f"openai:x,url=http://h/{key}"])
    with Store(tmp_path, create=True) as store:
        fill(store, problems=2, samples=2)
        note_stage(store, "generate", {"model": f"openai:x,url=http://h/{key}"}, seconds=0.0, before=0)
    keep_config(tmp_path, {"model": f"openai:x,url=http://h/{key}"})
    assert HIDDEN in (tmp_path / "provenance.jsonl").read_text()
    assert holders(tmp_path) == []


def test_a_tracker_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    (tmp_path / "report.json").write_text("{")

    def send(_: object) -> None:
        raise RuntimeError(f"401 for the key {os.environ['WANDB_API_KEY']}")

    monkeypatch.setattr(trackers, "check_tracker", lambda name: None)
    monkeypatch.setattr(trackers, "read_run", lambda run: None)
    monkeypatch.setitem(trackers.TRACKERS, "wandb", trackers.Tracker(send, "wandb"))
    with pytest.raises(QprobeError, match=r"Sending the report to wandb failed: 401 for the key \*\*\*") as caught:
        trackers.track("wandb", tmp_path)
    assert KEY not in "".join(traceback.format_exception(caught.value))
