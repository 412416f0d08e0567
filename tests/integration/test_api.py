"""The public API: the flow of the README, saved as a file, and the same flow over values."""

import subprocess
import sys
from pathlib import Path

import pytest

import qprobe as qp
from benchmarks.mini import MODEL

FLOW = """
import qprobe as qp

problems = qp.load_benchmark("mini", limit=9)
model = qp.load_model("hf:{model}", temperature=0.8, max_new_tokens=48)
with qp.Run("results/first") as run:
    run.generate(problems, model, k=4)
    run.grade(sandbox="process")
    run.embed(model, layers=[0.8])
    run.probe(["mse", "pg"])
    print(run.report())
    frame = run.samples_table()
    assert "<pre>" in run.report()._repr_html_()
print(frame)
print(frame.to_pandas().shape)
"""


def test_the_documented_flow_runs_as_a_file_beside_a_sandbox_py(tmp_path: Path):
    (tmp_path / "sandbox.py").write_text("raise SystemExit('the user's sandbox.py was imported')\n")
    (tmp_path / "flow.py").write_text(FLOW.format(model=MODEL))
    done = subprocess.run([sys.executable, "flow.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pass@1" in done.stdout
    assert "SamplesTable(36 samples" in done.stdout
    assert "(36, 19)" in done.stdout
    assert not done.stderr.strip(), "silent by default"
    config = (tmp_path / "results" / "first" / "config.toml").read_text()
    assert 'benchmark = "mini"' in config


def test_a_module_of_the_same_name_that_was_imported_first_is_named(tmp_path: Path):
    (tmp_path / "sandbox.py").write_text("")
    code = "import sandbox, qprobe"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{tmp_path}/sandbox.py was imported as 'sandbox'" in done.stderr


def test_import_loads_nothing_heavy_and_every_name_exists():
    code = "import qprobe, sys; print({'torch', 'numpy', 'transformers', 'docker'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert all(hasattr(qp, name) for name in qp.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = qp.nothing


def test_stages_of_values_give_what_a_run_keeps():
    problems = qp.load_benchmark("mini", limit=6)
    model = qp.load_model(f"hf:{MODEL}", max_new_tokens=48)
    completions = qp.generate(problems, model, k=3)
    outcomes = qp.grade(completions, problems, sandbox="process")
    vectors = qp.embed(completions, problems, model, layers="1,2")
    with qp.Run.in_memory() as run:
        folder = run.folder
        run.generate(problems, model, k=3)
        run.grade(sandbox="process")
        run.embed(model, layers=[1, 2])
        table = list(run.samples_table())
    assert not folder.exists(), "a run in memory leaves nothing behind"
    assert [row["text"] for row in table] == [completion.text for completion in completions]
    assert [row["reward"] for row in table] == [outcomes[completion.id].reward for completion in completions]
    assert {view.layer for view in vectors} == {1, 2}
    assert all(array.shape == (18, 64) or len(array) == 18 for array in vectors.values())
    rewards = {sample: outcome.reward for sample, outcome in outcomes.items()}
    samples = qp.Samples.join([completion.id for completion in completions], vectors, rewards)
    assert samples.rewards_PN.shape == (6, 3)
