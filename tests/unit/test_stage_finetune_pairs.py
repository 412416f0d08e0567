"""Fine-tuning on pairs of replies: held out by prompt, and adapters that are read like any model, under a probe too."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import Problem
from benchmarks.pairs import open_pairs
from benchmarks.pairs.prompts import as_problem
from harness.commands.main import app
from harness.errors import QprobeError
from harness.finetuning.card import read_card, trained_warning
from harness.finetuning.rows import PairRow, TrainingRow
from harness.reports.preferences import preference_report
from harness.reports.render.html.preferences import preference_page
from harness.reports.render.preferences import notes
from harness.runs.store import Store
from harness.stages import finetune as stage
from harness.stages.finetune import describe, finetune, plan_training
from harness.stages.finetune_options import FinetuneOptions
from harness.stages.finetune_rows import ROWS
from harness.stages.options import PreferenceOptions
from harness.stages.preferences import import_pairs, run_preferences
from tests.tiny_models import save_teachable_llama

pytest.importorskip("peft", reason="peft is not installed")
LEAK = "train/17"
"""The pair of the split train whose prompt, but for a blank, is one of the split test."""


def row(number: int, split: str, *, blank: str = " ") -> dict[str, str]:
    prompt = f"def f{number}(x,{blank}y):\n"
    return {"prompt": prompt, "chosen": f"    return x + {number}\n", "rejected": f"    assert {number} - x\n"} | {
        "split": split
    }


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_teachable_llama(tmp_path_factory.mktemp("teachable"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Sixteen pairs to train on, one whose prompt is held out, and twelve held-out ones."""
    rows = [row(number, "train") for number in range(16)] + [row(20, "train", blank="  ")]
    rows += [row(number, "test") for number in range(20, 32)]
    file = tmp_path_factory.mktemp("data") / "mine.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return str(file)


def options(pairs: str, embedder: str, split: str | None) -> PreferenceOptions:
    return PreferenceOptions(
        pairs=pairs, embedder=embedder, split=split, repeats=1, folds=3, objectives=("pairwise",), l2s=(0.03,)
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, llama: Path, pairs: str) -> Path:
    """A run of all pairs, read by the model."""
    folder = tmp_path_factory.mktemp("pairs") / "run"
    with Store(folder, create=True) as store:
        run_preferences(store, options(pairs, f"hf:{llama}", None))
    return folder


CHANGES = {"epochs": 6, "learning_rate": 5e-3, "batch_size": 8, "rank": 4, "device": "cpu"}


def finetune_options(method: str, **changes: object) -> FinetuneOptions:
    return FinetuneOptions(method=method, **{**CHANGES, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["sft", "dpo", "kto"])
def adapter(request: pytest.FixtureRequest, run: Path) -> Path:
    """An adapter by each method; the model is the one that read the run."""
    with Store(run) as store:
        return finetune(store, finetune_options(request.param))[0]


def test_a_card_names_no_held_out_pair_and_no_pair_of_a_held_out_prompt(adapter: Path, run: Path):
    card = read_card(adapter)
    assert card is not None
    assert card.problems == tuple(f"train/{number}" for number in range(1, 17))
    assert (card.splits, card.benchmark, len(card.prompts)) == (("train",), "pairs:mine", 16)
    assert card.rows == (32 if card.method == "kto" else 16)
    assert card.settings.get("beta") == (None if card.method == "sft" else 0.1)
    assert card.epoch_losses[-1] < card.epoch_losses[0]


def test_what_is_left_out_is_said(run: Path):
    with Store(run, read_only=True) as store:
        said = describe(plan_training(store, finetune_options("dpo")))
    assert "16 pairs of 16 prompts, 12 steps." in said
    assert said.endswith("1 more have a prompt of the split test and are left out.")


def log_probability_margin(folder: Path) -> float:
    """The mean of log p(chosen) - log p(rejected) over a run of pairs."""
    with Store(folder, read_only=True) as store:
        verdicts = store.verdicts("preferences")
        values = {completion.id: completion.logprob for completion in store.completions()}
    margins = {name: 0.0 for name, _ in values}
    for sample, value in values.items():
        assert value is not None
        margins[sample.problem_id] += value if verdicts[sample].reward else -value
    return fmean(margins.values())


def test_an_adapter_is_read_like_any_model_and_a_probe_goes_on_top(
    adapter: Path, llama: Path, pairs: str, tmp_path: Path
):
    margins = {}
    for name, spec in (("base", f"hf:{llama}"), ("adapted", f"hf:{llama},adapter={adapter}")):
        with Store(tmp_path / name, create=True) as store:
            run_preferences(store, options(pairs, spec, "test"))
            report = preference_report(store)
        assert report.embedder == spec
        assert report["pairwise"].value > 0.9
        assert report.warning == ""
        margins[name] = log_probability_margin(tmp_path / name)
    assert margins["adapted"] > margins["base"] + 0.5


def test_figures_of_pairs_that_the_model_was_trained_on_carry_a_warning(
    adapter: Path, llama: Path, pairs: str, tmp_path: Path
):
    with Store(tmp_path / "run", create=True) as store:
        run_preferences(store, options(pairs, f"hf:{llama},adapter={adapter}", "train"))
        report = preference_report(store)
    assert f"{adapter} was trained on 16 of these 17 problems" in report.warning
    assert notes(report)[0] == f"Warning: {report.warning}"
    assert "was trained on 16 of these 17 problems" in preference_page(report)


def test_ids_of_pairs_say_nothing_and_prompts_do(adapter: Path, llama: Path, tmp_path: Path):
    spec = f"hf:{llama},adapter={adapter}"
    other = tmp_path / "mine.jsonl"
    other.write_text("".join(json.dumps(row(number, "train")) + "\n" for number in range(50, 54)))
    problems = [as_problem(pair) for pair in open_pairs(str(other)).pairs()]
    assert problems[0].id == "train/1"
    assert trained_warning([spec], problems) == ""
    again = replace(problems[0], id="other/9", prompt=row(3, "test", blank="   ")["prompt"])
    assert "was trained on 1 of these 1 problems" in trained_warning([spec], [again])


def every_problem(store: Store, splits: object = ()) -> list[Problem]:
    """Return the held-out problems too, as `training_problems` must not."""
    return store.problems()


def all_but_the_split(store: Store, splits: object = ()) -> list[Problem]:
    """Return the problems of other splits, whatever their prompts."""
    return [problem for problem in store.problems() if problem.split != "test"]


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
@pytest.mark.parametrize(
    ("choice", "first", "count"), [(every_problem, LEAK, 13), (all_but_the_split, LEAK, 1)], ids=["all", "prompt"]
)
def test_a_choice_of_pairs_that_leaks_is_caught(
    run: Path, method: str, choice: object, first: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage, "training_problems", choice)
    output = tmp_path / "leak"
    with (
        Store(run) as store,
        pytest.raises(QprobeError, match=f"{count} problems are held out, first {first}: no model is trained on them"),
    ):
        finetune(store, finetune_options(method, output=output))
    assert not output.exists()


@pytest.mark.parametrize("leaking", ["test/5", LEAK])
def test_rows_that_leak_are_caught(run: Path, leaking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    side = TrainingRow("train/1", (5, 6, 7), 2)
    rows = [PairRow("train/1", side, side), PairRow(leaking, side, side)]
    monkeypatch.setitem(ROWS, "dpo", lambda *_: rows)
    output = tmp_path / "leak"
    with Store(run) as store, pytest.raises(QprobeError, match=f"1 problems are held out, first {leaking}"):
        finetune(store, finetune_options("dpo", output=output))
    assert not output.exists()


def test_a_run_whose_prompts_are_all_held_out_is_refused(tmp_path: Path, llama: Path):
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row(1, split)) + "\n" for split in ("train", "test")))
    with Store(tmp_path / "run", create=True) as store:
        import_pairs(store, open_pairs(str(file)))
        with pytest.raises(QprobeError, match="are in its split test too, which is held out: split the data by prompt"):
            finetune(store, finetune_options("dpo", model=f"hf:{llama}"))
        with pytest.raises(QprobeError, match="names no model of transformers"):
            finetune(store, finetune_options("dpo"))


def test_pairs_need_both_sides_of_a_problem(tmp_path: Path, llama: Path):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(row(1, "train") | {"rejected": " no" * 300}) + "\n")
    with Store(tmp_path / "run", create=True) as store:
        import_pairs(store, open_pairs(str(file)))
        with pytest.raises(QprobeError, match=r"No sample of the 1 training problems fails: .*or raise --max-tokens"):
            finetune(store, finetune_options("dpo", model=f"hf:{llama}", max_tokens=64))


def test_the_command_line(run: Path, pairs: str, llama: Path, tmp_path: Path):
    call = ["finetune", str(run), "--method", "dpo", "--epochs", "1", "--rank", "2", "--output", str(tmp_path / "new")]
    shown = CliRunner().invoke(app, [*call, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert f"Fine-tuning hf:{llama} by dpo: 16 pairs of 16 prompts, 1 steps." in shown.output
    made = CliRunner().invoke(app, [*call, "-q"])
    assert made.output == f"{tmp_path}/new holds the adapter: qprobe --adapter.\n"
    again = CliRunner().invoke(app, [*call, "--beta", "0.2"])
    assert "holds an adapter of other data or settings" in str(again.exception)
    reader = f"hf:{llama},adapter={tmp_path}/new"
    read = ["preferences", str(tmp_path / "top"), "--pairs", pairs, "--split", "test", "--embedder", reader]
    probed = CliRunner().invoke(app, [*read, "--repeats", "1", "--folds", "2", "--objective", "pairwise", "-q"])
    assert probed.exit_code == 0, probed.output
    assert "pairwise" in probed.output
