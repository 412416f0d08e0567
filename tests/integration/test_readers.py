"""Commands that only read: on a disk that cannot be written to, and while another command works on the run."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.runs.store import Store
from harness.stages.run import Run
from tests.command import qprobe
from tests.made_run import fill
from tests.read_only import require_mounts, run_on_read_only_disk

SLOW = "import time\ndef has_close_elements(numbers, threshold):\n    time.sleep(0.3)\n    return {}\n"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with two runs that have probes."""
    for name, signal_strength in (("one", 8.0), ("two", 0.0)):
        with Store(tmp_path / name, create=True) as store:
            fill(store, problems=8, samples=4, signal=signal_strength)
        with Run(tmp_path / name) as run:
            run.probe(["mse"])
    return tmp_path


def readers(runs: Path) -> list[list[str]]:
    one, two = str(runs / "one"), str(runs / "two")
    return [
        ["report", one, "--json"],
        ["show", one, "--json"],
        ["show", one, "M/3/1"],
        ["export", one],
        ["compare", one, two, "--json"],
    ]


def test_a_read_only_disk_is_read_and_left_as_it_is(runs: Path):
    require_mounts(runs)
    before = sorted(runs.rglob("*"))
    for command in readers(runs):
        expected = qprobe(*command)
        for file in set(runs.rglob("*")) - set(before):
            file.unlink()  # what report wrote
        done = run_on_read_only_disk(runs, sys.executable, "-m", "qprobe", *command)
        assert (done.returncode, done.stdout) == (0, expected.stdout), done.stderr
        assert ("cannot be written to" in done.stderr) == (command[0] == "report")
        assert sorted(runs.rglob("*")) == before


def test_a_command_that_writes_says_so_on_a_read_only_disk(runs: Path):
    require_mounts(runs)
    done = run_on_read_only_disk(
        runs, sys.executable, "-m", "qprobe", "grade", str(runs / "one"), "--sandbox", "process"
    )
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def grading(run: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A grading of programs that take their time, once the first verdicts are kept."""
    rows = [{"task_id": "HumanEval/0", "program": SLOW.format(number)} for number in range(200)]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, rows)))
    samples = ("--benchmark", "humaneval", "--samples", str(tmp_path / "s.jsonl"))
    assert qprobe("import", str(run), *samples).returncode == 0
    command = [sys.executable, "-m", "qprobe", "grade", str(run), "--sandbox", "process", "--workers", "1", "-q"]
    started = subprocess.Popen(command, **qprobe.quiet)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with Store(run, read_only=True) as store:
                if store.count_verdicts(store.about.grading or ""):
                    break
            time.sleep(0.1)
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


def test_a_run_is_read_while_it_is_graded(tmp_path: Path):
    run = tmp_path / "run"
    with grading(run, tmp_path) as command:
        report = qprobe("report", str(run), "--json")
        shown = qprobe("show", str(run), "HumanEval/0", "--json")
        exported = qprobe("export", str(run))
        assert command.poll() is None, "it still works, and none of the others was in its way"
    for done in (report, shown, exported):
        assert done.returncode == 0, done.stderr
        assert f"A command is at work in {run}: " in done.stderr
        assert "of 200 are graded so far." in done.stderr
    rows = [json.loads(line) for line in exported.stdout.splitlines()]
    assert len(rows) == 200
    assert 0 < sum(row["status"] is not None for row in rows) < 200
    assert 0 < json.loads(report.stdout)["samples"] < 200
    assert len(json.loads(shown.stdout)[0]["samples"]) == 200
    after = qprobe("show", str(run), "0/199")
    assert f"{run} is not finished: " in after.stderr
    assert "ungraded" in after.stdout


def test_a_published_folder_needs_no_run(runs: Path, tmp_path: Path):
    assert qprobe("report", str(runs / "two"), "-q").returncode == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(runs / "two" / "report.json", alone)
    done = qprobe("compare", str(runs / "one"), str(alone), "--json")
    assert json.loads(done.stdout)["problems"] == 8
    assert "is not a run" in qprobe("compare", str(runs / "one"), str(tmp_path)).stderr
