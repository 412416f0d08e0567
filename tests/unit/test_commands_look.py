"""`qprobe show`: lists, one problem, one program; filters, differences, names, and hostile text."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import Problem
from harness.reports.render.samples import visible
from harness.runs.completion import Completion, SampleId
from harness.runs.scores import load_scores
from harness.runs.store import Store
from harness.stages.run import Run
from sandbox import Outcome, Status
from tests.command import REPOSITORY, qprobe
from tests.made_run import fill

DETAIL = "assert f() == 3 # f() returned 'a long value'"
HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202etxt\r\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight problems with six samples; every third passes."""
    folder = tmp_path_factory.mktemp("look") / "run"
    with Store(folder, create=True) as store:
        fill(store, problems=8, name="Made/", detail=DETAIL)
    with Run(folder) as made:
        made.probe(["mse", "pg"])
    return folder


def shown(run: Path, *arguments: str) -> str:
    done = qprobe("show", str(run), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(run: Path, *arguments: str) -> str:
    done = qprobe("show", str(run), *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_all_problems_are_listed_with_the_verdicts_of_picked_samples(run: Path):
    lines = shown(run).splitlines()
    assert [line.split()[0] for line in lines] == [f"Made/{p}" for p in range(8)]
    assert "2 of 6 pass" in lines[0]
    assert all("the selected sample " in line for line in lines)


def test_a_problem_is_shown_with_prompt_tests_and_samples(run: Path):
    text = shown(run, "Made/3")
    assert text.startswith("Made/3: 2 of 6 samples pass, held out in fold ")
    assert "Prompt\ndef f():\n" in text
    assert "Tests\nassert f()\n" in text
    assert text.count(DETAIL) == 4
    assert sum(line.split()[1:2] == ["passed"] for line in text.splitlines()) == 2


def test_a_sample_is_shown_with_program_value_scores_and_picks(run: Path):
    with Store(run, read_only=True) as store:
        scores = load_scores(store)
    p = scores.problem_ids.index("Made/3")
    values = dict(zip(scores.indices_PN[p].tolist(), scores.scores_OPN[1, p].tolist(), strict=True))
    best = max(values, key=lambda index: values[index])
    text = shown(run, f"Made/3/{best}")
    assert any(line.split()[:1] == ["pg"] and line.endswith("rank 1, selected") for line in text.splitlines())
    assert f"Program\ndef f():\n    return {best // 2}\n" in text
    failing = shown(run, "Made/3/1")
    assert failing.startswith("Made/3/1  failed")
    assert "\n  assert f() == 3\n  f() returned 'a long value'\n" in failing
    rank = sorted(values.values(), reverse=True).index(values[1]) + 1
    assert any(line.split()[:1] == ["pg"] and line.endswith(f"rank {rank}") for line in failing.splitlines())
    assert "0.010 s of CPU time" in failing


def test_failing_and_picked_choose_samples(run: Path):
    failing = shown(run, "--failing").splitlines()
    assert len(failing) == 32
    assert all(DETAIL in line and "failed" in line for line in failing)
    assert len(shown(run, "--picked", "pg").splitlines()) == 8
    assert shown(run, "Made/3", "--failing").count("Program\ndef f():") == 4
    picked = shown(run, "Made/3", "--picked", "mse")
    assert picked.count("Program\n") == 1
    assert "rank 1, selected" in picked
    done = qprobe("show", str(run), "--failing", "--picked", "pg")
    listed = json.loads(shown(run, "--picked", "pg", "--json"))
    wrong = [item for item in listed if item["samples"][0]["status"] == "failed"]
    assert len(done.stdout.splitlines()) == len(wrong)


def test_json_holds_whole_programs(run: Path):
    (problem,) = json.loads(shown(run, "Made/3/1", "--json"))
    (sample,) = problem["samples"]
    assert (problem["id"], problem["passed"], problem["graded"]) == ("Made/3", 2, 6)
    assert sample["program"] == "def f():\n    return 0\n"
    assert sample["detail"] == DETAIL
    assert sample["scores"].keys() == {"mse", "pg"}


def test_the_end_of_an_id_is_enough(run: Path):
    assert shown(run, "3/1") == shown(run, "made/3/1") == shown(run, "Made/3/1")
    assert "Made/3 has no sample 9: its samples are 0 to 5." in refused(run, "3/9")
    assert f"{run} has no problem 'Mode/3'; qprobe show {run} lists them. Did you mean Made/3?" in refused(
        run, "Mode/3"
    )
    assert "has no problem ''" in refused(run, "")
    assert "Unknown objective 'pgg'. Choose from mse, pg. Did you mean pg?" in refused(run, "--picked", "pgg")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Answers of a chat model, one of them hostile; no probes, and a problem that is not graded."""
    with Store(tmp_path / "other", create=True) as store:
        store.settle("benchmark", "other")
        one = Problem("a/1", "Write f.", "f", "assert f() == 1", solution="def f():\n    return 1\n")
        store.add_problems([one, replace(one, id="b/1"), replace(one, id="c/2", solution="")])
        program = f"def f():\n    return 2  # {HOSTILE}"
        answer = f"```python\n{program}\n```"
        drawn = [Completion(name, 0, "Write f.", answer, program, "length", 7, -3.5) for name in ("a/1", "b/1", "c/2")]
        store.add_completions(drawn)
        store.add_verdicts("g", {SampleId("a/1", 0): Outcome(Status.FAILED, f"assert {HOSTILE}")})
        store.note("grader", "g")
    return tmp_path / "other"


def test_hostile_text_is_shown_by_numbers(other: Path):
    for arguments in ((), ("a/1",), ("a/1/0",), ("a/1/0", "--diff"), ("--failing",)):
        text = shown(other, *arguments)
        assert not set("\x1b\x07\u202e\r") & set(text)
    text = shown(other, "a/1/0")
    assert "<U+001B>[31mred<U+001B>]0;title<U+0007> <U+202E>txt" in text
    assert visible("a\x00\tb\r\n\u2066") == "a<U+0000>\tb\n<U+2066>"


def test_an_answer_that_is_no_program_is_shown_with_its_prompt(other: Path):
    text = shown(other, "a/1/0")
    assert text.index("Prompt\nWrite f.") < text.index("Answer of the model\n```python") < text.index("Program\n")
    assert "7 tokens, log-probability -3.50" in text
    assert "cut at the token limit" in text


def test_a_difference_from_the_reference(other: Path):
    text = shown(other, "a/1/0", "--diff")
    assert "\n-    return 1\n+    return 2" in text
    assert "Program (its problem has no reference solution)" in shown(other, "c/2", "--diff")


def test_a_run_that_is_not_finished_is_shown(other: Path):
    assert "'1' fits 2 problems (a/1, b/1): give the whole id." in refused(other, "1")
    assert "ungraded" in shown(other, "c/2")
    assert "has no probes: run qprobe probe" in refused(other, "--picked", "pg")
    with Store(other):
        done = qprobe("show", str(other), "a/1")
    assert done.returncode == 0
    assert "A command is at work in" in done.stderr


def test_a_published_report_is_shown_as_far_as_it_goes():
    folder = REPOSITORY / "results" / "reference" / "codegen16b"
    done = qprobe("show", str(folder))
    assert "codegen16b: humaneval, 164 problems x 100 samples" in done.stdout
    assert "no samples or programs" in done.stderr
    assert "README.md says how to make the run" in refused(folder, "HumanEval/3")
    assert "is not a run" in refused(folder.parent)
