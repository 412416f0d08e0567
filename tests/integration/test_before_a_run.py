"""Help before anything is run: the dry run, shell completion, help that answers at once, a log."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.mini import MODEL
from harness.stages.estimate import model_size, speed
from tests.command import qprobe
from tests.integration.test_cli_bad_input import refused

SCRIPT = Path(sys.executable).with_name("qprobe")
LINE = ("--benchmark", "mini", "--model", f"hf:{MODEL}", "--limit", "8", "--folds", "2", "--max-new-tokens", "16")


def dry(run: Path, *more: str) -> dict:
    done = qprobe("run", str(run), *LINE, "--sandbox", "process", "--dry-run", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path):
    estimate = dry(tmp_path / "r", "--k", "5")
    assert (estimate["problems"], estimate["samples"]) == (8, 40)
    assert [stage["stage"] for stage in estimate["stages"]] == ["generate", "grade", "embed", "probe"]
    assert all(stage["new"] == 40 and stage["seconds"] > 0 for stage in estimate["stages"])
    assert 40 * 8192 < estimate["disk_bytes"] < estimate["free_bytes"]
    assert list(tmp_path.iterdir()) == []
    shown = qprobe("run", str(tmp_path / "r"), *LINE, "--sandbox", "process", "--dry-run", "--k", "5")
    assert "8 problems of mini, 40 programs" in " ".join(shown.stdout.split())
    assert "Nothing was done." in shown.stdout


def test_an_estimate_is_at_the_precision_of_the_weights(monkeypatch: pytest.MonkeyPatch):
    """A CPU without instructions for float16 computes it a hundred times slower."""
    sizes = [model_size(f"hf:{MODEL},device=cpu{name}") for name in ("", ",dtype=bfloat16", ",dtype=float16")]
    assert [size and size.precision for size in sizes] == ["float32", "bfloat16", "float16"]
    used: list[torch.dtype] = []
    ones = torch.ones
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch, "ones", lambda *size, **kinds: used.append(kinds["dtype"]) or ones(*size, **kinds))
    assert all(speed(size.precision, 64) > 0 for size in sizes if size)
    assert used == [torch.float32, torch.bfloat16, torch.float16]


def test_a_dry_run_knows_what_is_there_and_how_long_it_took(tmp_path: Path):
    run = tmp_path / "r"
    assert (
        qprobe("generate", str(run), *(part for part in LINE if part not in ("--folds", "2")), "--k", "2").returncode
        == 0
    )
    line = json.loads((run / "provenance.jsonl").read_text())
    assert line["new"] == 16
    first, grade, *_ = dry(run, "--k", "5")["stages"]
    assert (first["new"], grade["new"]) == (24, 40)
    assert first["seconds"] == pytest.approx(line["seconds"] * 24 / 16)
    assert first["basis"] == str(run)
    assert dry(run, "--k", "2")["stages"][0]["seconds"] == 0


def test_a_dry_run_counts_the_samples_of_a_file(tmp_path: Path, minilm: Path):
    rows = [{"task_id": f"HumanEval/{n}", "completion": ["    pass", "    return 1"]} for n in range(4)]
    (tmp_path / "s.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    arguments = ("--benchmark", "humaneval", "--samples", str(tmp_path / "s.jsonl"), "--embedder", f"hf:{minilm}")
    done = qprobe("run", *arguments, "--sandbox", "process", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    estimate = json.loads(done.stdout)
    assert (estimate["problems"], estimate["samples"]) == (4, 8)
    assert [stage["stage"] for stage in estimate["stages"]] == ["grade", "embed", "probe"]


def test_a_dry_run_finds_what_would_fail():
    refused("run", "--dry-run", "--benchmark", "minii", "--model", f"hf:{MODEL}", "--sandbox", "process", says="mini?")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("qprobe gr", {"grade"}),
        ("qprobe run --dry", {"--dry-run"}),
        ("qprobe run --sandbox ", {"docker", "process"}),
        ("qprobe run --benchmark mb", {"mbpp", "mbpp-sanitized"}),
        ("qprobe run broken.toml --set nonsense --print", {"--print-config"}),
    ],
)
def test_bash_completes(words: str, offered: set[str]):
    variables = {"_QPROBE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run([SCRIPT], env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert offered <= set(done.stdout.split()), done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(shell: str):
    variables = {"_QPROBE_COMPLETE": f"source_{shell}"}
    done = subprocess.run([SCRIPT], env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert "_QPROBE_COMPLETE" in done.stdout, done.stderr


def test_help_answers_without_heavy_imports():
    heavy = (
        "import sys; sys.argv = ['qprobe', *sys.argv[1:]]\n"
        "from harness.commands.main import main\ntry:\n    main()\nfinally:\n"
        "    print(sorted({'torch', 'transformers', 'docker', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    )
    for arguments in (["--help"], ["run", "--help"], ["run", "--print-config"]):
        done = subprocess.run([sys.executable, "-c", heavy, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert done.stderr.strip() == "[]", arguments


def test_verbose_logs_to_a_file(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "qprobe", "-v", "benchmarks", "list"],
        cwd=tmp_path,
        env=qprobe.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    (log,) = tmp_path.glob("qprobe-*.log")
    assert f"Logging to {log.name}." in done.stderr
    assert "benchmarks list" in log.read_text()


def test_a_fault_of_ours_goes_to_the_log_there_is(tmp_path: Path):
    fault = "from harness.commands.main import main, app\napp.command('fault')(lambda: {}['gone'])\nmain()"
    for before in ((), ("-v",)):
        command = [sys.executable, "-c", fault, *before, "fault"]
        environment = {**qprobe.environment, "TMPDIR": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 3
        (log,) = tmp_path.glob("qprobe-*.log")
        assert f"internal error (KeyError: 'gone'). Please report it with {log}." in done.stderr
        text = log.read_text()
        assert "Traceback" in text
        assert "torch" in text, "the versions beneath it"
        log.unlink()
