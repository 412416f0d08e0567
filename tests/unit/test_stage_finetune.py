"""The stage finetune: an adapter that changes samples, made of training problems and of nothing else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from benchmarks import Problem
from harness.commands.main import app
from harness.errors import QprobeError
from harness.finetuning.card import read_card, trained_problems, trained_warning
from harness.finetuning.rows import TrainingRow
from harness.models.engine import Request
from harness.models.hf.engine import HfEngine
from harness.models.sampling import Sampling
from harness.runs.problem_sets import load_set
from harness.runs.store import Store
from harness.runs.training_problems import training_samples
from harness.stages import finetune as stage
from harness.stages.finetune import finetune
from harness.stages.finetune_options import FinetuneOptions
from harness.stages.finetune_rows import ROWS, RowLimits, SampleTokens
from harness.stages.transfer import transfer
from tests.runs import make_run, problem
from tests.tiny_models import save_teachable_llama

pytest.importorskip("peft", reason="peft is not installed")
OPTIONS = FinetuneOptions(epochs=40, learning_rate=1e-2, batch_size=16, rank=8, device="cpu")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_teachable_llama(tmp_path_factory.mktemp("teachable"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, llama: Path) -> Path:
    """Problems of three splits; samples with an odd index return their argument, and pass."""
    folder = tmp_path_factory.mktemp("finetune") / "run"
    make_run(folder, llama, benchmark="big", numbers=range(8), split="train")
    make_run(folder, llama, benchmark="big", numbers=range(8, 10), split="validation")
    make_run(folder, llama, benchmark="big", numbers=range(10, 14))
    return folder


@pytest.fixture(scope="module")
def options(llama: Path) -> FinetuneOptions:
    return replace(OPTIONS, model=f"hf:{llama}")


@pytest.fixture(scope="module")
def adapter(run: Path, options: FinetuneOptions) -> Path:
    with Store(run) as store:
        return finetune(store, options)[0]


def test_the_adapter_makes_the_model_write_what_passed(adapter: Path, llama: Path):
    held_out = problem("big", 12)
    request = Request(held_out.prompt, ("\n",), 0, greedy=True)
    texts = []
    for spec in (f"hf:{llama}", f"hf:{llama},adapter={adapter}"):
        engine = HfEngine(spec, Sampling(max_new_tokens=24), device="cpu")
        texts.append(dict(engine.generate([request]))[0].text)
    assert texts[0] != texts[1]
    assert texts[1].startswith("    return x")


def test_the_card_says_what_the_adapter_was_trained_on(adapter: Path, run: Path, llama: Path):
    card = read_card(adapter)
    assert card is not None
    assert card.problems == tuple(f"big/{n}" for n in range(10))
    assert card.splits == ("train", "validation")
    assert (card.rows, card.steps, len(card.losses)) == (30, 80, 80)
    assert card.epoch_losses[-1] < 0.2 * card.epoch_losses[0]
    assert (
        sum(tensor.numel() for tensor in load_file(adapter / "adapter_model.safetensors").values()) == card.parameters
    )
    assert not (adapter / "checkpoint" / "checkpoint.safetensors").exists()
    problems = [problem("big", number) for number in range(14)]
    assert trained_problems([f"hf:{llama},adapter={adapter}", ""], problems) == dict.fromkeys(card.problems, adapter)
    lines = [json.loads(line) for line in (run / "provenance.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["finetune"]


def test_no_figure_is_of_a_problem_that_an_adapter_was_trained_on(adapter: Path, llama: Path, tmp_path: Path):
    spec = f"hf:{llama},adapter={adapter}"
    for name, numbers, split in (
        ("first", range(8), "train"),
        ("leak", range(8, 12), "test"),
        ("clean", range(10, 14), "test"),
    ):
        make_run(
            tmp_path / name, f"{llama},adapter={adapter}", benchmark="big", numbers=numbers, split=split, layers="2"
        )
    train, leak, clean = (load_set(str(tmp_path / name)) for name in ("first", "leak", "clean"))
    with pytest.raises(QprobeError, match=r"adapters/sft was trained on 2 problems of .*leak, first big/8: test on"):
        transfer(train, [leak], ["mse"])
    assert transfer(train, [clean], ["mse"]).tests[0].rows, "training problems may train a probe too"
    assert "was trained on 2 of these 4 problems" in trained_warning([spec], [problem("big", n) for n in range(8, 12)])
    renamed = replace(problem("big", 1), id="other/1")
    assert "was trained on 1 of these 1 problems" in trained_warning([spec], [renamed]), "its prompt is the same"
    assert trained_warning([spec], [problem("big", 12)]) == ""
    assert trained_warning([f"hf:{llama}"], [problem("big", 1)]) == ""


def test_a_finished_adapter_is_kept_and_another_is_refused(adapter: Path, run: Path, options: FinetuneOptions):
    before = (adapter / "adapter_model.safetensors").stat().st_mtime_ns
    with Store(run) as store:
        finetune(store, options)
        with pytest.raises(QprobeError, match="holds an adapter of other data or settings: name another --output"):
            finetune(store, replace(options, rank=2))
    assert (adapter / "adapter_model.safetensors").stat().st_mtime_ns == before


def test_only_samples_that_pass_become_rows_and_equal_ones_once(run: Path, llama: Path):
    tokens = SampleTokens(f"hf:{llama}", "cpu")
    with Store(run, read_only=True) as store:
        problems = [problem for problem in store.problems() if problem.split == "train"]
        texts = {completion.text for problem in problems for completion in store.completions(problem.id)}
        for most in (1, 2, 8):
            rows = ROWS["sft"](store, problems, tokens, RowLimits(most, 512))
            assert len(rows) == 8 * min(most, 3)
        decode = tokens._reader.model.tokenizer.decode
        for row in rows:
            text = decode(row.ids[row.start :])
            assert text.endswith("<eos>")
            assert text.removesuffix("<eos>") in texts
            assert "return x" in text
        both = ROWS["reward"](store, problems, tokens, RowLimits(2, 512))
        assert sorted(row.reward for row in both) == [0.0] * 16 + [1.0] * 16
        assert not any(decode(row.ids).endswith("<eos>") for row in both)


def test_the_held_out_split_is_refused(run: Path, options: FinetuneOptions, tmp_path: Path, llama: Path):
    other = make_run(tmp_path / "other", llama)
    with Store(run) as store:
        with pytest.raises(QprobeError, match="The split test is held out"):
            finetune(store, replace(options, splits=("train", "test")))
        with pytest.raises(QprobeError, match=r"no problems of split 'prompt'\. Choose from test, train, validation"):
            finetune(store, replace(options, splits=("prompt",)))
    with (
        Store(other) as store,
        pytest.raises(QprobeError, match=r"the split test alone.*qprobe generate --split train"),
    ):
        finetune(store, options)


def every_problem(store: Store, splits: object = ()) -> list[Problem]:
    """Return the held-out problems too, as `training_problems` must not."""
    return store.problems()


def test_a_choice_of_problems_that_leaks_is_caught(
    run: Path, options: FinetuneOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage, "training_problems", every_problem)
    output = tmp_path / "leak"
    with Store(run) as store:
        with pytest.raises(QprobeError, match="4 problems are held out, first big/10: no model is trained on them"):
            finetune(store, replace(options, output=output))
        with pytest.raises(QprobeError, match="held out"):
            list(training_samples(store, store.problems()[-1:]))
    assert not output.exists()


def test_rows_that_leak_are_caught(
    run: Path, options: FinetuneOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Rows of another reader of samples, which does not ask whether a problem is held out."""
    leak = TrainingRow("big/12", (5, 6, 7, 8), 2)
    monkeypatch.setitem(ROWS, "sft", lambda *_: [TrainingRow("big/1", (5, 6, 7), 2), leak])
    output = tmp_path / "leak"
    with Store(run) as store, pytest.raises(QprobeError, match="1 problems are held out, first big/12"):
        finetune(store, replace(options, output=output))
    assert not output.exists()


def test_too_little_memory_is_found_before_the_weights_are_read(
    run: Path, options: FinetuneOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage, "_train", None)
    with Store(run) as store, pytest.raises(QprobeError, match=r"needs about .* GiB of memory and .* are free: lower"):
        finetune(store, replace(options, output=tmp_path / "large", batch_tokens=10**9))


def test_a_run_without_what_a_method_learns_from_is_refused(tmp_path: Path, llama: Path, options: FinetuneOptions):
    run = make_run(tmp_path / "run", llama, split="train", samples=1)  # which fails
    with Store(run) as store:
        with pytest.raises(QprobeError, match=r"No sample of the 12 training problems passes: draw more samples"):
            finetune(store, options)
        with pytest.raises(QprobeError, match="names no model of transformers that drew its samples: give --model"):
            finetune(store, replace(options, model=""))
        with pytest.raises(QprobeError, match="leave adapter= out of --model"):
            finetune(store, replace(options, model=f"{options.model},adapter=x"))
        with pytest.raises(QprobeError, match="leave out quantize="):
            finetune(store, replace(options, model=f"{options.model},quantize=8bit"))


def test_the_command_line(run: Path, options: FinetuneOptions, adapter: Path, tmp_path: Path):
    shown = CliRunner().invoke(app, ["finetune", str(run), "--model", options.model, "--epochs", "2", "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "30 samples of 10 problems, 4 steps. About" in shown.output
    assert shown.output.endswith("Nothing was done.\n")
    made = CliRunner().invoke(
        app,
        ["finetune", str(run), "--model", options.model, "--epochs", "1", "--output", str(tmp_path / "new"), "-q"],
    )
    assert made.output == f"{tmp_path}/new holds the adapter: qprobe --adapter.\n"
    assert read_card(tmp_path / "new") is not None
