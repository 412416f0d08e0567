"""Probes are trained anew where anything that they depend on has changed, and only there."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.runs.provenance import PROVENANCE_FILE
from harness.runs.store import Store
from harness.stages import probe_reuse
from harness.stages.options import ProbeOptions
from harness.stages.probe import Probed, probe
from harness.stages.run import Run
from sandbox import Outcome, Status
from tests.made_run import fill

USUAL: dict[str, Any] = {"objectives": ["mse"], "folds": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose probes are trained."""
    folder = tmp_path_factory.mktemp("reuse") / "run"
    with Run(folder) as run:
        fill(run.store, problems=9)
        run.probe(options=ProbeOptions(**USUAL))
    return folder


def again(folder: Path, **changed: Any) -> Probed:  # noqa: ANN401 - values of options
    with Store(folder) as store:
        return probe(store, **{**USUAL, **changed})


def test_nothing_is_trained_twice(made: Path):
    files = [*made.glob("probes/*"), made / "scores.safetensors", made / PROVENANCE_FILE]
    assert len(files) == 3
    before = [(file.stat().st_mtime_ns, file.read_bytes()) for file in files]
    with Run(made) as run:
        run.probe(options=ProbeOptions(**USUAL))
    assert [(file.stat().st_mtime_ns, file.read_bytes()) for file in files] == before


def test_the_kept_result_is_the_trained_one(made: Path):
    kept = again(made)
    assert kept.reused
    (made / "probes" / "mse.safetensors").unlink()
    trained = again(made)
    assert not trained.reused
    assert trained.result.chosen == kept.result.chosen
    assert trained.result.problem_ids == kept.result.problem_ids
    for name in ("scores_OPN", "fold_P"):
        torch.testing.assert_close(getattr(trained.result, name), getattr(kept.result, name), rtol=1e-6, atol=1e-7)
    assert {"shuffled labels", "shuffled within problems"} <= kept.result.controls.keys()
    assert trained.result.beta == kept.result.beta
    assert trained.result.without_signal == kept.result.without_signal


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"folds": 2}, {"beta": 0.2}, {"objectives": ["ce"]}, {"repeats": 2}], ids=str
)
def test_other_settings(tmp_path: Path, made: Path, changed: dict[str, Any]):
    copy = shutil.copytree(made, tmp_path / "copy")
    assert again(copy).reused, "a copy is the same run"
    assert not again(copy, **changed).reused


def other_verdict(store: Store) -> None:
    other = {sample: Outcome(Status.PASSED, "", 0.01, 0.02) for sample in store.sample_ids()}
    store.add_verdicts("h", other | dict(list(store.verdicts("g").items())[:-1]))
    store.note("grader", "h")


def other_vector(store: Store) -> None:
    (file,) = store.folder.glob("vectors-*")
    vectors = np.fromfile(file, dtype="<f4")
    vectors[3] += 1
    vectors.tofile(file)


@pytest.mark.parametrize("change", [other_verdict, other_vector])
def test_other_inputs(tmp_path: Path, made: Path, change: Callable[[Store], None]):
    copy = shutil.copytree(made, tmp_path / "copy")
    with Store(copy) as store:
        change(store)
    assert not again(copy).reused


def test_other_code(made: Path, monkeypatch: pytest.MonkeyPatch):
    assert again(made).reused
    monkeypatch.setattr(probe_reuse, "_code", lambda: ["another version"])
    assert not again(made).reused


def test_an_objective_of_the_users_is_always_trained(tmp_path: Path, made: Path):
    """Its code may import anything, which no hash covers."""
    own = tmp_path / "own.py"
    own.write_text("from harness.probes.objectives import mse\n")
    for _ in range(2):
        assert not again(made, objectives=[f"{own}:mse"]).reused
