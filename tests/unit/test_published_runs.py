"""Runs made small enough for git: figures that can still be compared, and where they came from."""

from pathlib import Path

import pytest

from harness.reports.compare import compare
from harness.runs.provenance import note_stage
from harness.stages.run import Run
from scripts.migrate_reports import migrate
from scripts.publish_runs import publish, without_folders
from tests.made_run import fill


def made(folder: Path, shift: int) -> Path:
    with Run(folder) as run:
        fill(run.store, samples=6, program=lambda problem, sample: f"def f():\n    return {(sample + shift) // 3}\n")
        settings = {"samples": f"{folder.parent}/data/s.jsonl", "temperature": 0.8}
        note_stage(run.store, "import", settings, seconds=1.0, before=0)
        run.write_report()
    return folder


def test_published_runs_compare_as_the_runs_do(tmp_path: Path):
    runs = [made(tmp_path / name, shift) for shift, name in enumerate(("one", "two"))]
    published = [tmp_path / f"published-{run.name}" for run in runs]
    for run, folder in zip(runs, published, strict=True):
        publish(run, folder)
    theirs, ours = compare(runs), compare(published)
    assert ours.problems == theirs.problems == 12
    assert ours.without_values == ()
    assert len(ours.cells) == len(theirs.cells) > 0
    for one, other in zip(ours.cells, theirs.cells, strict=True):
        assert (one.row, one.value, one.low, one.high) == pytest.approx((other.row, other.value, other.low, other.high))


def test_a_published_page_says_where_its_figures_came_from(tmp_path: Path):
    """Without the folders of the machine, and still after reports are rendered again."""
    published = tmp_path / "published"
    publish(made(tmp_path / "one", 0), published)
    migrate(published)
    text = (published / "report.html").read_text()
    assert "About this run" in text
    assert "samples s.jsonl, temperature 0.8" in text
    assert str(tmp_path) not in (published / "provenance.jsonl").read_text()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("qprobe run results/x --samples /a/b/c.jsonl.gz", "qprobe run results/x --samples c.jsonl.gz"),
        ("hf:/root/models/qwen,dtype=bfloat16", "hf:qwen,dtype=bfloat16"),
        ("hf:~/models/qwen", "hf:qwen"),
        ("openai:m,url=http://localhost:8000/v1", "openai:m,url=http://localhost:8000/v1"),
        ("hf:Qwen/Qwen2.5 a / b 1/2", "hf:Qwen/Qwen2.5 a / b 1/2"),
    ],
)
def test_folders_of_the_machine_are_left_out(text: str, left: str):
    assert without_folders({"a": [text, 1]}) == {"a": [left, 1]}
