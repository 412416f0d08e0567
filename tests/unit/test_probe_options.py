"""The options of `qprobe probe` and `qprobe transfer` take effect, and a bad value ends in one sentence."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from harness.commands.main import main
from harness.models.hf.embedder import HfEmbedder
from harness.runs.scores import load_scores
from harness.runs.store import Store
from harness.stages.embed import embed
from sandbox import Outcome, Status
from tests.runs import QUIET, completions, make_run, problem

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    """Eight problems, of which 0 and 100 have nearly the same prompt."""
    torch.set_num_threads(1)
    folder = make_run(tmp_path_factory.mktemp("runs") / "run", tiny_llama, numbers=range(7))
    with Store(folder) as store:
        twin = replace(problem("own", 0), id="own/100")
        store.add_problems([twin])
        store.add_completions(drawn := completions(twin, 6))
        store.add_verdicts("known", {one.id: outcome(one.index) for one in drawn})
        embed(store, HfEmbedder(f"hf:{tiny_llama}", layers="1,2"), QUIET)
    return folder


def outcome(index: int) -> Outcome:
    return Outcome(Status.PASSED if index % 2 else Status.FAILED)


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, to change."""
    return Path(shutil.copytree(run, tmp_path / "run"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`qprobe` in this process: its exit status and its standard error."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["qprobe", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), " ".join(capsys.readouterr().err.split())

    return call


BAD = [
    (["--form", "spline"], "Unknown probe form 'spline'. Choose from linear, torch-linear"),
    (["--form", ","], "names nothing"),
    (["--l2", "much"], "--l2 much is not a list of numbers separated by commas"),
    (["--l2", "0.1;1"], "is not a list of numbers separated by commas"),
    (["--l2", "-1"], "--l2 must be at least 0, not -1."),
    (["--l2", "nan"], "--l2 must be at least 0, not nan."),
    (["--learning-rate", "0"], "--learning-rate must be above 0, not 0."),
    (["--learning-rate", "1e-3,inf"], "--learning-rate must be finite, not inf."),
    (["--learning-rate", "1e300"], "Training diverged with all hyperparameters"),
    (["--train-beta", "0"], "--train-beta must be above 0, not 0."),
    (["--train-beta", ""], "names nothing"),
    (["--preset", "paper", "--l2", "1"], "The preset paper selects nothing"),
    (["--preset", "paper", "--form", "linear,mlp"], "or give paper one --form"),
    (["--preset", "paper"], "2 candidates (layers: 1/last, 2/last): embed with one layer and one pooling"),
    (["--preset", "best"], "Unknown preset 'best'. Choose from nested, wide, paper."),
    (["--beta", "nan"], "Invalid value for '--beta'"),
    (["--beta", "inf"], "--beta must be finite, not inf."),
    (["--beta", "-1"], "Invalid value for '--beta'"),
    (["--seed", "-1"], "Invalid value for '--seed'"),
    (["--folds", "0"], "Invalid value for '--folds'"),
    (["--folds", "9"], "9 folds need as many problems, not 8"),
    (["--objective", "listwize"], "Unknown objective 'listwize'. Did you mean listwise or pairwise?"),
]


@pytest.mark.parametrize(("options", "says"), BAD, ids=lambda value: "_".join(value) if isinstance(value, list) else "")
def test_a_bad_value_is_one_sentence(run: Path, command: Command, options: list[str], says: str):
    status, error = command("probe", str(run), "--objective", "pg", *options, "-q")
    assert status == 1, error
    assert says in error
    assert not (run / "scores.safetensors").exists(), "a refused command writes nothing"


def test_what_is_chosen_between_is_what_was_asked_for(copy: Path, command: Command):
    options = ["--form", "mlp", "--l2", "0.5", "--learning-rate", "0.02", "--train-beta", "0.7"]
    grouped = ["--objective", "pg", "--folds", "2", "--repeats", "2", "-q"]
    assert command("probe", str(copy), *grouped, *options) == (0, "")
    with Store(copy) as store:
        scores = load_scores(store)
    for fold in scores.chosen["pg"]:
        values = [fold[name] for name in ("form", "l2", "learning_rate", "beta")]
        assert values == ["mlp", 0.5, 0.02, 0.7]
    places = [scores.problem_ids.index(name) for name in ("own/0", "own/100")]
    assert len(set(scores.fold_P[places].tolist())) == 1
    assert scores.settings["groups"] == 7
    with safe_open(copy / "probes" / "pg.safetensors", "np") as file:
        card = json.loads(file.metadata()["card"])
    assert (card["form"], card["training"]["l2"]) == ("mlp", 0.5)


def test_a_vector_that_is_not_finite_is_named(copy: Path, command: Command):
    (file,) = copy.glob("vectors-*.f32")
    vectors = np.fromfile(file, dtype="<f4")
    vectors[3] = np.nan
    vectors.tofile(file)
    status, error = command("probe", str(copy), "--objective", "mse", "-q")
    assert status == 1
    assert "The vector of sample" in error
    assert "(layer 1/last) is not finite: embed it again" in error
