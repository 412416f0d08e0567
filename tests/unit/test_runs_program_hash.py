"""Equal programs are found whatever the caller's main module and folder hold, and whatever a program does."""

import ast
import hashlib
import json
import logging
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import QprobeError
from harness.runs import program_hash
from harness.runs.hash_worker import text_fingerprint
from harness.runs.program_hash import CHUNK, fingerprint, fingerprints
from tests.command import REPOSITORY

DEEP = "x = " + "-" * 100_000 + "1"
"""Python, but deeper than its parser goes."""
SLOW = "x = " * 50_000 + "1"
"""A tenth of a second of parsing, or more."""


def test_digests_are_of_syntax_trees_and_else_of_texts():
    program = "def f():\n    return 'x'\n"
    texts = [ast.dump(ast.parse(program)), "def f(:", "\ud800"]
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16] for text in texts]
    assert fingerprints([program, "def f(:\n", "\ud800 "]) == digests


@settings(max_examples=20)
@given(st.lists(st.text(st.characters(codec=None)), max_size=5))
def test_workers_agree_with_this_process(texts: list[str]):
    assert fingerprints(texts) == [fingerprint(text) for text in texts]


def test_no_programs_need_no_worker():
    assert fingerprints([]) == []


def test_more_programs_than_a_worker_takes_at_once():
    programs = [f"x = {n}" for n in range(CHUNK + 1)]
    assert fingerprints([*programs, *programs]) == 2 * [fingerprint(program) for program in programs]


@pytest.mark.parametrize(("bad", "seconds"), [(DEEP, 30.0), (SLOW, 0.02)])
def test_only_the_program_that_ends_a_worker_is_compared_as_text(
    bad: str, seconds: float, caplog: pytest.LogCaptureFixture
):
    good = ["x = 'a'", 'x  =  "a"  # the same']
    with caplog.at_level(logging.WARNING, "qprobe"):
        hashes = fingerprints([good[0], bad, bad + " ", bad + "  # other text", good[1]], seconds)
    assert hashes[0] == hashes[4] == fingerprint(good[0]), "programs before and after it keep their syntax trees"
    assert hashes[1] == hashes[2] != hashes[3]
    assert "3 programs are too deep or too long to parse" in caplog.text


def test_a_worker_that_is_killed_changes_no_digest(monkeypatch: pytest.MonkeyPatch):
    """The kernel kills it for lack of memory, say; its programs are parsed by the next."""
    started: list[subprocess.Popen[bytes]] = []
    expect_ready = program_hash._expect_ready

    def kill_the_first(pipe: "Connection", process: "subprocess.Popen[bytes]") -> None:
        expect_ready(pipe, process)
        if not started:
            process.kill()
            process.wait()
        started.append(process)

    monkeypatch.setattr(program_hash, "_expect_ready", kill_the_first)
    programs = ["x  =  1", 'y = "a"']
    assert fingerprints(programs) == [fingerprint(program) for program in programs]
    assert len(started) > 1


def test_an_ignored_signal_does_not_lift_the_limit():
    """A parent may have left SIGVTALRM ignored, which children inherit."""
    before = signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
    try:
        assert fingerprints([SLOW, "x = 1"], 0.02) == [text_fingerprint(SLOW), fingerprint("x = 1")]
    finally:
        signal.signal(signal.SIGVTALRM, before)


def test_a_python_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And not a digest of another kind, which would change the report's numbers."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(QprobeError, match="/bin/false ended with status 1"):
        fingerprints(["x = 1"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(QprobeError, match="No such file"):
        fingerprints(["x = 1"])


SCRIPT = """import json, sys
sys.path.insert(0, {repository!r})
print("main runs")
from harness.runs.program_hash import fingerprints
print(json.dumps(fingerprints(["x = 1", "x  = 1  # one", "x = 2"])))
"""


def run_script(folder: Path, *how: str) -> None:
    """Run the script in a folder by one of Python's ways to run one, and check what it prints."""
    command = [sys.executable, *how]
    script = (folder / "script.py").read_text()
    done = subprocess.run(command, cwd=folder, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    main, hashes = done.stdout.splitlines()
    assert main == "main runs"
    assert json.loads(hashes) == fingerprints(["x = 1", "x  = 1  # one", "x = 2"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a script that has no main guard."""
    (tmp_path / "script.py").write_text(SCRIPT.format(repository=str(REPOSITORY)))
    return tmp_path


@pytest.mark.parametrize("how", [("script.py",), ("-m", "script"), ("-",)], ids=" ".join)
def test_the_callers_main_module_is_not_run_again(folder: Path, how: tuple[str, ...]):
    (folder / "sandbox.py").write_text("raise SystemExit('the user's own sandbox')")
    run_script(folder, *how)


def test_modules_of_the_callers_folder_are_not_imported(folder: Path):
    for name in ("ast", "hashlib", "json", "warnings", "multiprocessing"):
        (folder / f"{name}.py").write_text("raise SystemExit('a decoy was imported')")
    run_script(folder, "-P", "script.py")
