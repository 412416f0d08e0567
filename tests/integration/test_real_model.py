"""The full pipeline on a real model, SmolLM2-135M-Instruct, read by its hidden states: ten minutes on two cores.

    pytest -m slow tests/integration/test_real_model.py

The model is a folder of transformers at QPROBE_SMOLLM2, by default ~/.cache/qprobe-models/smollm2.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qprobe as qp
from harness.models.hf.embedder import HfEmbedder
from harness.probes import DEFAULT_OBJECTIVES
from harness.progress import SILENT
from harness.runs.store import Store
from harness.runs.vector_store import read_views
from harness.stages.embed import embed
from tests.command import qprobe

MODEL = Path(os.environ.get("QPROBE_SMOLLM2", "~/.cache/qprobe-models/smollm2")).expanduser()
PROBLEMS, SAMPLES = 40, 10
LAYERS, POOLINGS = (10, 20, 30), ("last", "mean")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.docker,
    pytest.mark.skipif(not MODEL.is_dir(), reason=f"no real model: {MODEL} does not exist (set QPROBE_SMOLLM2)"),
]


def called(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command that may take longer than those of the other tests."""
    command = [sys.executable, "-m", "harness", *command]
    return subprocess.run(command, env=qprobe.environment, capture_output=True, text=True, timeout=1800, check=False)


@pytest.fixture(scope="module")
def command(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("real") / "smollm2"
    arguments = ["run", str(folder), "--benchmark", f"mbpp:{shared_data / 'mbpp' / 'mbpp.jsonl'}"]
    arguments += ["--model", f"hf:{MODEL}", "--limit", str(PROBLEMS), "--k", str(SAMPLES), "--greedy"]
    arguments += ["--max-new-tokens", "200", "--layers", ",".join(map(str, LAYERS)), "--pooling", ",".join(POOLINGS)]
    return [*arguments, "--embedder", f"hf:{MODEL}", "--repeats", "2"]


@pytest.fixture(scope="module")
def run(command: list[str]) -> Path:
    done = called(command)
    assert done.returncode == 0, done.stderr
    return Path(command[1])


def test_the_report_has_every_row_and_its_figures_follow_from_the_verdicts(run: Path):
    report = json.loads((run / "report.json").read_text())
    rows = {row["name"]: row for row in report["rows"]}
    label_free = {"greedy", "mean log-probability", "self-certainty", "agreement (vectors)", "near centroid"}
    assert {*DEFAULT_OBJECTIVES, *label_free, "shuffled labels", f"pass@{SAMPLES}"} <= set(rows)
    with qp.Run(run) as opened:
        drawn = [row for row in opened.samples_table() if row["index"] >= 0]
    assert len(drawn) == PROBLEMS * SAMPLES
    rewards: dict[str, list[bool]] = {}
    for row in drawn:
        rewards.setdefault(row["problem"], []).append(row["status"] == "passed")
    assert rows["pass@1"]["value"] == pytest.approx(np.mean([np.mean(own) for own in rewards.values()]))
    assert rows[f"pass@{SAMPLES}"]["value"] == pytest.approx(np.mean([any(own) for own in rewards.values()]))
    assert 0.01 < rows["pass@1"]["value"] < 0.3, "of MBPP: a small model, and not a broken one"


def test_states_were_captured_while_the_model_wrote(run: Path, tmp_path: Path):
    """They are those of a second pass over prompt and completion."""
    reader = HfEmbedder(f"hf:{MODEL}", layers=",".join(map(str, LAYERS)), pooling=",".join(POOLINGS))
    with Store(run, read_only=True) as store, Store(tmp_path / "read", create=True) as other:
        completions = [completion for completion in store.completions() if completion.index % 5 == 0]
        other.add_problems(store.problems())
        other.add_completions(completions)
        again, ids = embed(other, reader, SILENT), [completion.id for completion in completions]
        for view, vectors in read_views(store, store.about.view, ids).items():
            read = read_views(other, again.view, ids)[view]
            np.testing.assert_allclose(vectors, read, rtol=1e-3, atol=1e-3 * np.abs(read).max(), err_msg=str(view))


def test_a_finished_run_is_left_as_it_is(run: Path, command: list[str]):
    before = {file.name: file.read_bytes() for file in run.glob("report.*")}
    done = called(command)
    assert done.returncode == 0, done.stderr
    assert {file.name: file.read_bytes() for file in run.glob("report.*")} == before
