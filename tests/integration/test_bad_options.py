"""Every option of every stage, with values that it cannot have: refused in one sentence, before any stage has run."""

import io
import json
import re
import tarfile
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mini import MODEL
from benchmarks.pairs import open_pairs
from harness.errors import QprobeError
from harness.runs.store import Store
from harness.stages.finetune_options import FinetuneOptions
from harness.stages.option_values import flag_of
from harness.stages.options import PipelineOptions, TransferOptions, key_of
from harness.stages.pipeline import run_pipeline
from harness.stages.preferences import import_pairs
from harness.stages.run import Run
from sandbox.docker.engine import connect
from tests.command import qprobe

BAD: dict[str, tuple[Any, ...]] = {
    "benchmark": ("minii", "nowhere.jsonl"),
    "errata": ("perhaps",),
    "seed": (-1, 2**32, "x"),
    "device": ("tpu", "cuda:99"),
    "samples": ("nowhere.jsonl",),
    "format": ("papr",),
    "model": ("gpt2", "hf:/nowhere", "hf:nowhere,dtype=int3"),
    "k": (0, "many"),
    "limit": (0, 2, "many"),
    "split": ("train",),
    "prompt": ("papr", "successes-2:nowhere", "nowhere.toml"),
    "temperature": (-0.1, float("nan"), float("inf"), "warm"),
    "top_p": (0, 1.1, float("nan"), "x"),
    "max_new_tokens": (0, 600, "many"),
    "top_k": (-1, "many"),
    "min_p": (-0.1, 1.1, float("nan"), "x"),
    "repetition_penalty": (0, float("nan"), float("inf"), "x"),
    "system_prompt": ("Be brief.",),  # beside a prompt that is no chat
    "chat_template_kwargs": (["thinking"], ["a=1", "a=2"], ["enable_thinking=false"]),
    "greedy": ("perhaps",),
    "batch_size": (0, "many"),
    "adapter": ("nowhere",),
    "sandbox": ("jail",),
    "image": ("qprobe-nowhere:1",),
    "runtime": ("nope",),
    "workers": (0, "many"),
    "timeout": (0, float("nan"), float("inf"), "long"),
    "timeout_factor": (0.5, float("inf"), "x"),
    "timeout_min": (0, 30, "x"),
    "timeout_max": (0, 10, "x"),
    "regrade": (-1, "x"),
    "visible_tests": ("perhaps",),
    "log_probability": ("perhaps",),
    "generated_tests": ("nowhere.jsonl",),
    "embedder": ("gpt2", "hf:/nowhere"),
    "layers": ("99", "deep", "1.5"),
    "pooling": ("max",),
    "location": ("head",),
    "precision": ("float8",),
    "objectives": (["msee"], ["nowhere.py:f"]),
    "beta": (-0.1, float("nan"), float("inf"), "x"),
    "preset": ("papr",),
    "forms": (["xyz"],),
    "l2s": (["abc"], [0.1, -1.0], [float("nan")]),
    "learning_rates": ([0], ["abc"], [float("inf")]),
    "train_betas": (["x"], [0], [float("nan")]),
    "folds": (1, 9, "x"),
    "learning_curve": ("perhaps",),
    "probes": ("perhaps",),
    "complete": ("perhaps",),
    "repeats": (0, "x"),
    "group_duplicates": ("perhaps",),
    "features": (["size"],),
    "track": ("nowhere",),
    "leave_out_duplicates": ("perhaps",),
    "seeds": (0, "x"),
    "by_layer": ("perhaps",),
    "block": (-1, "x"),
    "shard": ("x", "4/3", "0/2"),
    "ray": ("nowhere", "ray://127.0.0.1:10001", "127.0.0.1:1"),
}
"""Field of the options -> values that it cannot have. A new option needs one here."""

USUAL: dict[str, Any] = {
    "benchmark": "mini",
    "model": f"hf:{MODEL}",
    "k": 1,
    "limit": 8,
    "folds": 4,
    "max_new_tokens": 16,
    "timeout_min": 20,
    "timeout_max": 25,
    "sandbox": "process",
}
NEEDS = {"image": {"sandbox": "docker"}, "runtime": {"sandbox": "docker"}, "samples": {"model": "", "embedder": "hf:x"}}
"""Options that others must go with, to matter at all."""

ENTRIES = {entry.name: entry for entry in fields(PipelineOptions)}
CASES = [
    pytest.param(name, value, id=f"{name}={value}", marks=[pytest.mark.docker] * (name in ("image", "runtime")))
    for name in ENTRIES
    for value in BAD.get(name, ())
]

FIRST = [case for case in CASES if case.values[1] == BAD[str(case.values[0])][0]]


def settings(name: str, value: object) -> dict[str, Any]:
    """The usual settings by field, with the bad one."""
    return {key: each for key, each in {**USUAL, **NEEDS.get(name, {}), name: value}.items() if each != ""}


def arguments(name: str, value: object) -> list[str]:
    """The settings as options of the command line."""
    texts = {
        key: ",".join(map(str, each)) if isinstance(each, list) else each for key, each in settings(name, value).items()
    }
    return [f"{flag_of(ENTRIES[key])}={text}" for key, text in texts.items()]


def refused(name: str, value: object, folder: Path, *command: str) -> None:
    """The command ends with status 1 and one sentence about the option, and leaves nothing behind."""
    done = qprobe("run", *command)
    said = done.stderr.strip().splitlines()
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert len([line for line in said if line.startswith(("qprobe: ", "Error: "))]) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    shown = value[-1] if isinstance(value, list) else value
    about = (flag_of(ENTRIES[name]), key_of(ENTRIES[name]), *re.split("[:,]", str(shown)))
    assert any(text in " ".join(said) for text in about), done.stderr
    assert not folder.exists()


def test_every_option_has_a_bad_value():
    """So that an option that is added is checked before the first token too."""
    assert BAD.keys() == {entry.name for stage in (PipelineOptions, TransferOptions) for entry in fields(stage)}
    assert all(BAD.values())


def test_the_usual_settings_are_accepted():
    """Otherwise the tests below would prove nothing."""
    done = qprobe("run", "--dry-run", *arguments("k", 1))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("name", "value"), CASES)
def test_the_command_refuses_it(tmp_path: Path, name: str, value: object):
    folder = tmp_path / "run"
    refused(name, value, folder, str(folder), *arguments(name, value))


@pytest.mark.parametrize(("name", "value"), FIRST)
def test_a_dry_run_of_a_file_refuses_it(tmp_path: Path, name: str, value: object):
    folder, file = tmp_path / "run", tmp_path / "experiment.toml"
    given = {key_of(ENTRIES[key]): each for key, each in settings(name, value).items()} | {"folder": str(folder)}
    lines = [
        f"{key} = {json.dumps(each).replace('NaN', 'nan').replace('Infinity', 'inf')}\n" for key, each in given.items()
    ]
    file.write_text("".join(lines))
    refused(name, value, folder, str(file), "--dry-run")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--preset", "paper", "--layers", "1,2"], "The preset paper reads one layer and pooling, not 1/last, 2/last"),
        (["--preset", "paper", "--l2", "1"], "The preset paper selects nothing"),
        (["--device", "cuda:99"], "Unknown device 'cuda:99' on this machine. Choose from auto, cpu"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_options_that_do_not_go_together(tmp_path: Path, options: list[str], says: str):
    done = qprobe("run", str(tmp_path / "run"), *arguments("k", 1), *options)
    assert done.returncode == 1
    assert says in done.stderr
    assert not (tmp_path / "run").exists()


BAD_TRAINING: dict[str, tuple[Any, ...]] = {
    "method": ("sftt",),
    "model": ("gpt2", "hf:/nowhere", f"hf:{MODEL},adapter=x", f"hf:{MODEL},quantize=8bit"),
    "splits": ("test", "nowhere"),
    "per_problem": (0, "many"),
    "epochs": (0, "many"),
    "batch_size": (0, "many"),
    "learning_rate": (0, -1, float("nan"), float("inf"), "x"),
    "beta": (0, -0.1, float("nan"), float("inf"), "x"),
    "rank": (0, "x"),
    "alpha": (0, "x"),
    "dropout": (-0.1, 1, float("nan"), "x"),
    "max_tokens": (1, 2, "many"),
    "batch_tokens": (0, "many"),
    "seed": (-1, 2**32, "x"),
    "device": ("tpu", "cuda:99"),
}
"""The same of `finetune`; its folder may be any path."""

TRAINING = {entry.name: entry for entry in fields(FinetuneOptions)}
USUAL_TRAINING = ("--method=dpo", f"--model=hf:{MODEL}")


@pytest.fixture(scope="module")
def pair_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    rows = [{"prompt": f"def f{n}(x):\n", "chosen": "    return x\n", "rejected": "    pass\n"} for n in range(4)]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Store(folder / "run", create=True) as store:
        import_pairs(store, open_pairs(str(folder / "mine.jsonl")))
    return folder / "run"


def test_every_option_of_a_training_has_a_bad_value():
    assert BAD_TRAINING.keys() == TRAINING.keys() - {"output"}


def test_the_usual_training_is_accepted(pair_run: Path):
    done = qprobe("finetune", str(pair_run), *USUAL_TRAINING, "--dry-run")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD_TRAINING.items() for value in values]
)
def test_a_training_refuses_it(pair_run: Path, name: str, value: object):
    done = qprobe("finetune", str(pair_run), *USUAL_TRAINING, f"{flag_of(TRAINING[name])}={value}", "--dry-run")
    said = done.stderr.strip().splitlines()
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert len([line for line in said if line.startswith(("qprobe: ", "Error: "))]) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.docker
def test_an_image_in_which_programs_cannot_run(tmp_path: Path):
    """It is there, so that only a guest that is started shows it."""
    client = connect()
    with io.BytesIO() as archive, closing(client):
        tarfile.open(fileobj=archive, mode="w").close()
        made = client.api.import_image_from_data(archive.getvalue(), repository="qprobe-test-empty", tag="1")
        try:
            options = arguments("image", "qprobe-test-empty:1")
            for more in ([], ["--dry-run"]):
                done = qprobe("run", str(tmp_path / "run"), *options, *more)
                assert done.returncode == 1, made
                assert "The docker sandbox cannot run programs" in done.stderr
                assert len(done.stderr.splitlines()) == 1
                assert not (tmp_path / "run").exists()
        finally:
            client.images.remove("qprobe-test-empty:1", force=True)


@pytest.mark.parametrize(("name", "value"), CASES)
def test_the_library_refuses_it(tmp_path: Path, name: str, value: object):
    with Run(tmp_path / "run") as run:
        with pytest.raises(QprobeError) as caught:
            run_pipeline(run, PipelineOptions(**settings(name, value)))
        assert "\n" not in str(caught.value)
        assert not any(run.store.counts().values())
    assert not (tmp_path / "run" / "provenance.jsonl").exists()
