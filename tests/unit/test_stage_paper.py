"""The paper's rows on a real small model: every figure again from the stored samples, and reruns that do nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from benchmarks.mini import MODEL
from benchmarks.registry import open_benchmark
from harness.commands.main import app
from harness.errors import QprobeError
from harness.stages.paper.options import PaperOptions
from harness.stages.paper.rows import ROWS
from harness.stages.paper.runs import Figure, PaperRuns
from harness.stages.paper.table import PaperCell, chosen_rows, make_cells
from scripts.recompute_paper import recomputed

pytest.importorskip("peft", reason="peft is not installed")
ROWS_HERE = ("pass@1", "greedy", "sft", "sft-probe", "prompted", "reward", "mse", "pg", "attn", "oracle")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> PaperOptions:
    """Twenty training problems and ten for testing, of the bundled benchmark."""
    torch.set_num_threads(1)
    file = tmp_path_factory.mktemp("data") / "halves.jsonl"
    with file.open("w") as rows:
        for number, problem in enumerate(open_benchmark("mini").problems()[:30]):
            row = {name: getattr(problem, name) for name in ("id", "prompt", "entry_point", "tests", "solution")}
            row |= {"split": "test" if number % 3 == 0 else "train", "stop": list(problem.stop)}
            rows.write(json.dumps(row) + "\n")
    return PaperOptions(
        model=f"hf:{MODEL}",
        train=str(file),
        splits=("train",),
        tests=(str(file),),
        k=4,
        train_k=4,
        max_new_tokens=64,
        layers="-1",
        epochs=1,
        sandbox="process",
        device="cpu",
    )


@pytest.fixture(scope="module")
def folder(options: PaperOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reproduction by the command line."""
    folder = tmp_path_factory.mktemp("paper") / "paper"
    arguments = ["reproduce", "paper", "--folder", str(folder), "--model", options.model, "--train", options.train]
    arguments += ["--split", "train", "--test-on", options.train, "--k", "4", "--train-k", "4", "--layers", "-1"]
    arguments += ["--max-new-tokens", "64", "--epochs", "1", "--sandbox", "process", "--device", "cpu", "-q"]
    done = CliRunner().invoke(app, [*arguments, "--rows", ",".join(ROWS_HERE)])
    assert (done.exit_code, done.exception) == (0, None), done.output
    assert "sft-probe" in done.output
    assert "fine-tuned on successes (LoRA's rank" in done.output.replace("\n", " ")
    return folder


def test_every_figure_is_that_of_the_stored_samples(folder: Path):
    made = json.loads((folder / "paper.json").read_text())
    cells = {cell["row"]: cell for cell in made["cells"]}
    assert set(cells) == set(ROWS_HERE)
    for name, cell in cells.items():
        assert cell["ours"] is not None, cell["reason"]
        assert recomputed(folder, name, "halves") == pytest.approx(cell["ours"]["value"], abs=1e-3), name
        assert cell["ours"]["low"] <= cell["ours"]["value"] <= cell["ours"]["high"]
        assert cell["paper"] is None, "the paper has no figure of this benchmark"
    assert cells["oracle"]["ours"]["value"] >= cells["pg"]["ours"]["value"]
    assert "| sft-probe |" in (folder / "paper.md").read_text()


def test_a_rerun_draws_and_trains_nothing(folder: Path, options: PaperOptions):
    lines: list[str] = []

    class Listening:
        """Progress that keeps the messages."""

        def message(self, text: str) -> None:
            lines.append(text)

        def task(self, title: str, total: int, done: int = 0) -> object:
            from harness.progress import SILENT

            return SILENT.task(title, total, done)

    runs = PaperRuns(folder, options, Listening())  # type: ignore[arg-type]
    cells = make_cells(runs, chosen_rows(("greedy", "sft", "reward"), ROWS))
    before = {cell["row"]: cell["ours"] for cell in json.loads((folder / "paper.json").read_text())["cells"]}
    for cell in cells:
        assert cell.as_json()["ours"] == before[cell.row.name]
    assert {line for line in lines if line.startswith("Generated")} == {"Generated 0 samples."}
    assert any(line.startswith("The adapter exists already") for line in lines)
    assert any(line.startswith("Scored 0 samples") for line in lines)


def test_probes_of_the_run_are_no_part_of_the_table(folder: Path, options: PaperOptions):
    """Those of an earlier version of qprobe would have to be trained again."""
    probes = folder / "halves" / "scores.safetensors"
    assert not probes.exists()
    probes.write_bytes(b"of an earlier version")
    try:
        (cell,) = make_cells(PaperRuns(folder, options), chosen_rows(("greedy",), ROWS))
    finally:
        probes.unlink()
    assert cell.ours is not None, cell.reason


def test_a_row_that_cannot_be_made_says_why(folder: Path, options: PaperOptions):
    runs = PaperRuns(folder, options)
    reasons = {
        cell.row.name: cell.reason for cell in make_cells(runs, chosen_rows(("pass@10", "api-pg", "codet"), ROWS))
    }
    assert reasons == {"pass@10": "no pass@10: k is 4", "api-pg": "no API", "codet": "no samples"}


def test_the_rows_of_an_api(options: PaperOptions, tmp_path: Path):
    pytest.importorskip("openai", reason="openai is not installed")
    from tests.model_server import serve

    with serve(MODEL) as server:
        model = f"openai:tiny,url={server.url}"
        with_server = replace(options, api_model=model, api_embedder=model, api_prompt="paper")
        runs = PaperRuns(tmp_path / "paper", with_server)
        cells = make_cells(runs, chosen_rows(("api-pass@1", "api-greedy", "api-oracle", "api-pg", "api-pg-api"), ROWS))
    for cell in cells:
        assert cell.ours is not None, cell.reason
        if not cell.row.name.startswith("api-pg-"):  # a server's vectors are of a text, not of a layer
            assert recomputed(tmp_path / "paper", cell.row.name, "halves") == pytest.approx(cell.ours.value, abs=1e-3)


def test_no_row_is_blank_and_all_are_those_of_the_paper():
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) == 25
    paper = {row.name: row.paper for row in ROWS}
    assert paper["pg"] == {"mbpp": 0.4573, "humaneval": 0.3457}
    assert paper["oracle"] == {"mbpp": 0.7561, "humaneval": 0.7710}
    assert {row.code for row in ROWS} == {"yes", "part", "no", "other"}
    assert all(row.chosen for row in ROWS if row.code == "no")
    with pytest.raises(QprobeError, match=r"Unknown row 'sfft'\..*Did you mean sft\?"):
        chosen_rows(("sfft",), ROWS)


def test_the_difference_is_ours_minus_the_papers():
    (row,) = chosen_rows(("pg",), ROWS)
    cell = PaperCell(row, "mbpp", Figure(0.5, 0.45, 0.56))
    assert cell.difference is not None
    assert (cell.difference.value, cell.difference.low) == (pytest.approx(0.0427), pytest.approx(-0.0073))
    assert PaperCell(row, "other", Figure(0.5, 0.4, 0.6)).difference is None


def test_what_every_row_would_fail_at_is_an_error_before_any_run(options: PaperOptions, tmp_path: Path):
    for change, complaint in [
        ({"model": "openai:m"}, "--model is a model of transformers"),
        ({"reward_model": "hf:m"}, "--reward-model makes no difference to this table: add --preferences, or leave"),
        ({"splits": ("validation",)}, "has no split 'validation'"),
        ({"tests": ("nowhere",)}, "Unknown benchmark 'nowhere'"),
        ({"layers": "99"}, "Unknown layer 99"),
    ]:
        with pytest.raises(QprobeError, match=complaint):
            PaperRuns(tmp_path / "paper", replace(options, **change)).check()
    assert not (tmp_path / "paper").exists()
