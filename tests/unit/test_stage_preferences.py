"""Preferences: pairs as a run, probes that find a planted preference, and figures that length cannot explain."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from benchmarks.mini import MODEL
from benchmarks.pairs import open_pairs
from benchmarks.pairs.prompts import as_problem
from harness.errors import QprobeError
from harness.probes import load_probe
from harness.reports.given_scores import read_scores
from harness.reports.preferences import PreferenceReport, preference_report
from harness.reports.published import read_published
from harness.reports.render.html.preferences import preference_page
from harness.reports.render.preference_files import write_preferences
from harness.reports.render.preferences import FORMATS, terminal
from harness.runs.store import Store
from harness.stages.options import PreferenceOptions
from harness.stages.preferences import (
    GRADER,
    chosen_index,
    run_preferences,
    usable_pairs,
)
from harness.stages.rank import open_reader, rank, read_completions
from scripts import bench_preferences
from scripts.migrate_reports import migrate
from scripts.publish_runs import publish
from tests.command import qprobe

SPEC = f"hf:{MODEL}"


def written(folder: Path, count: int = 40, *, planted: bool = True) -> str:
    """A set whose chosen replies return something; length says nothing, and half of the prompts come twice."""
    draw = random.Random(0)
    rows = []
    for number in range(count):
        good, bad = f"    return {draw.randrange(99)} + x\n", f"    assert {draw.randrange(99)} - x\n"
        pair = (good, bad) if planted or number % 2 else (bad, good)
        rows.append({"prompt": f"def f{number // 2}(x):\n", "chosen": pair[0], "rejected": pair[1]})
    file = folder / "planted.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def options(pairs: str | None, **changes: object) -> PreferenceOptions:
    usual = {"embedder": SPEC, "repeats": 1, "objectives": ("pairwise", "copg"), "folds": 3, "l2s": (0.03,)}
    return PreferenceOptions(pairs=pairs, **{**usual, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    with Store(folder / "run", create=True) as store:
        run_preferences(store, options(written(folder), learning_curve=True))
    return folder / "run"


def test_a_planted_preference_is_found_and_length_is_not(planted: Path):
    with Store(planted, read_only=True) as store:
        report = preference_report(store)
    assert (report.pairs, report.prompts) == (40, 20)
    for name in ("pairwise", "copg"):
        assert report[name].value > 0.95
        assert report[name].low > 0.5
    assert abs(report["longest"].value - 0.5) < 0.2
    assert report["shuffled pairs"].low <= 0.5
    assert report["random choice"].value == 0.5
    assert {one.other for one in report.differences} >= {"longest", "mean log-probability", "contrast direction"}
    assert report.learning_curve is not None
    assert report.learning_curve.pairs[0] == 10
    assert {one.objective for one in report.learning_curve.every} == set(report.hyperparameters)
    for one in report.learning_curve.every:
        assert one.value[-1] > 0.9
        assert all(low <= value <= high for low, value, high in zip(one.low, one.value, one.high, strict=True))


def test_pairs_of_one_prompt_share_a_fold(planted: Path):
    from harness.runs.scores import load_scores

    with Store(planted, read_only=True) as store:
        scores = load_scores(store)
        prompts = {problem.id: problem.prompt for problem in store.problems()}
    folds: dict[str, set[int]] = {}
    for name, fold in zip(scores.problem_ids, scores.fold_P, strict=True):
        folds.setdefault(prompts[name], set()).add(int(fold))
    assert all(len(own) == 1 for own in folds.values())
    assert len(set.union(*folds.values())) == 3


def test_a_preference_that_is_none_is_not_found(tmp_path: Path):
    with Store(tmp_path / "run", create=True) as store:
        run_preferences(store, options(written(tmp_path, planted=False), log_probability=False))
        report = preference_report(store)
    assert report["pairwise"].low <= 0.5
    assert "mean log-probability" not in {row.name for row in report.rows}


def test_the_chosen_reply_is_as_often_the_first_as_the_second():
    places = [chosen_index(f"train/{number}") for number in range(1000)]
    assert 0.4 < np.mean(places) < 0.6


def test_every_rendering_has_the_figures(planted: Path):
    with Store(planted, read_only=True) as store:
        report = preference_report(store)
    assert json.loads(FORMATS["json"](report))["schema"] == "qprobe-preferences/1"
    for form in ("markdown", "latex", "csv"):
        assert "shuffled pairs" in FORMATS[form](report)
    page = preference_page(report)
    assert page.count("<figure") == 3
    assert "Accuracy by the lengths of the replies" in page
    from rich.console import Console

    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(terminal(report, full=True))
    console.file.close()
    text = console.export_text()
    assert "Probe pairwise: accuracy" in text
    assert "similar lengths" in text


def test_a_published_report_of_pairs_is_read_again(planted: Path, tmp_path: Path):
    with Store(planted, read_only=True) as store:
        report = preference_report(store)
    write_preferences(report, planted)
    published = tmp_path / "published"
    publish(planted, published)
    again = read_published(published)
    assert isinstance(again, PreferenceReport)
    assert again.as_json() == report.as_json()
    assert (published / "report.md").read_text() == (planted / "report.md").read_text()
    before = (published / "report.html").read_text()
    migrate(published)
    assert (published / "report.html").read_text() == before
    shown = qprobe("report", str(published))
    assert shown.returncode == 0, shown.stderr
    assert "pairwise" in shown.stdout
    assert "holds a report and not its run" in shown.stderr
    assert "without the run" in qprobe("compare", str(published), str(planted)).stderr


def test_a_second_run_trains_and_embeds_nothing(planted: Path):
    said: list[str] = []

    class Listening:
        def message(self, text: str) -> None:
            said.append(text)

        from harness.progress import SILENT

        task = SILENT.task

    with Store(planted) as store:
        run_preferences(store, options(None, learning_curve=True), Listening())  # type: ignore[arg-type]
    assert said[-2:] == ["Embedded 0 replies.", "Probes exist already: 2 objectives."]


def test_rank_takes_a_probe_of_preferences_like_one_of_code(planted: Path, tmp_path: Path):
    probe = load_probe(planted / "probes" / "pairwise.safetensors")
    assert (probe.card.benchmark, probe.card.rule) == ("pairs:planted", "arg max")
    replies = ["    assert 7 - x\n", "    return 8 + x\n", "    assert 9 - x\n"]
    rows = [{"task_id": "new", "prompt": "def g(x):\n", "completion": reply} for reply in replies]
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (ranking,) = rank(probe, read_completions(file), open_reader(probe))
    assert ranking.picked.completion.index == 1


def test_rank_reads_a_reply_up_to_the_next_turn(planted: Path, tmp_path: Path):
    probe = load_probe(planted / "probes" / "pairwise.safetensors")
    replies = [
        "    return 8 + x\n",
        "    return 8 + x\n\n\nHuman: Why?\n\nAssistant:    assert 7",
        "    assert 9 - x\n",
    ]
    rows = [{"task_id": "new", "prompt": "def g(x):\n", "completion": reply} for reply in replies]
    file, picked = tmp_path / "samples.jsonl", tmp_path / "picked.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (ranking,) = rank(probe, read_completions(file), open_reader(probe))
    scores = {sample.completion.index: sample.score for sample in ranking.samples}
    assert scores[0] == scores[1] > scores[2]
    file.write_text(json.dumps(rows[1]) + "\n" + json.dumps(rows[2]) + "\n")
    written = tmp_path / "scores.jsonl"
    files = ("-o", str(picked), "--scores", str(written))
    done = qprobe("rank", str(file), "--probe", str(planted / "probes" / "pairwise.safetensors"), *files)
    assert done.returncode == 0, done.stderr
    assert json.loads(picked.read_text())["completion"] == replies[0]
    assert read_scores(written) == {("new", 0): pytest.approx(scores[1]), ("new", 1): pytest.approx(scores[2])}


def test_bad_input_is_one_sentence(tmp_path: Path):
    file = written(tmp_path, 6)
    with Store(tmp_path / "run", create=True) as store:
        with pytest.raises(QprobeError, match="holds no pairs: give --pairs SET"):
            run_preferences(store, options(None))
        with pytest.raises(QprobeError, match=r"has no split 'test'\. Choose from train"):
            run_preferences(store, options(file, split="test"))
        with pytest.raises(QprobeError, match="has no vectors: give --embedder"):
            run_preferences(store, options(file, embedder=None))
        other = tmp_path / "other.jsonl"
        rows = [json.dumps({"prompt": f"p{n}", "chosen": "a", "rejected": "b"}) + "\n" for n in range(3)]
        other.write_text("".join(rows))
        with pytest.raises(QprobeError, match="was made with"):
            run_preferences(store, options(str(other)))
    other.write_text("".join(rows[:2]))
    with Store(tmp_path / "new", create=True) as store:
        with pytest.raises(QprobeError, match="3 folds need as many problems, not 2"):
            run_preferences(store, options(str(other)))
        assert not any(store.counts().values()), "nothing is kept, nothing was read"
    other.write_text(json.dumps({"prompt": "p", "chosen": "a", "rejected": "a"}) + "\n")
    with pytest.raises(QprobeError, match="the replies of all 1 pairs are equal"):
        usable_pairs(open_pairs(str(other)))


def test_a_run_of_pairs_cannot_be_graded_or_sampled(planted: Path):
    """Verdicts by programs would hide which reply was chosen, and samples would stand beside the two replies."""
    drawing = ("--benchmark", f"pairs:{planted.parent / 'planted.jsonl'}", "--split", "train", "--model", SPEC)
    done = qprobe("generate", str(planted), *drawing)
    assert (done.returncode, "draw a model's into another run folder" in done.stderr) == (1, True), done.stderr
    done = qprobe("grade", str(planted), "--sandbox", "process")
    assert done.returncode == 1
    assert "pairs:planted has no programs to grade: train probes on pairs with qprobe preferences" in done.stderr
    with Store(planted, read_only=True) as store:
        assert store.about.grader == GRADER
    done = qprobe("eval", str(planted.parent / "new"), "--benchmark", "pairs:hh", "--model", SPEC)
    assert (done.returncode, done.stderr.count("pairs:hh has no programs to grade")) == (1, 1)
    done = qprobe("preferences", str(planted.parent / "none"), "--embedder", SPEC)
    assert (
        done.stderr
        == f"qprobe: There is no run {planted.parent / 'none'}: give --pairs SET and --embedder MODEL to make one.\n"
    )


def test_a_pair_as_a_problem_ends_its_replies_where_the_next_turn_begins(tmp_path: Path):
    pair = open_pairs(written(tmp_path, 1)).pairs()[0]
    problem = as_problem(pair)
    assert (problem.prompt, problem.stop) == (pair.prompt, ("\n\nHuman:",))


def test_the_bench_of_many_pairs_runs_the_whole_command(capsys: pytest.CaptureFixture[str]):
    bench_preferences.main(["--pairs", "60", "--width", "8", "--repeats", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == [
        "pairs imported",
        "vectors written",
        "probes cross-validated",
        "report written",
    ]
    assert lines[-1].startswith("60 pairs: accuracy pairwise .")
