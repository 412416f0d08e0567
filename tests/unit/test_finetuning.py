# ruff: noqa: ANN401 - models of peft
"""Fine-tuning: real steps on real small models, exact resumption, and the losses by an independent computation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from harness.errors import QprobeError
from harness.finetuning.checkpoint import FILE, Checkpoint
from harness.finetuning.lora import LoraSettings, trained_parameters, with_lora
from harness.finetuning.methods import METHODS, find_method
from harness.finetuning.needs import ModelSize
from harness.finetuning.reward import Reward
from harness.finetuning.rows import LabelledRow, PairRow, TrainingRow
from harness.finetuning.sft import Sft
from harness.finetuning.training import Schedule, train
from tests.tiny_models import save_teachable_llama

pytest.importorskip("peft", reason="peft is not installed")
ROWS = [
    TrainingRow(f"p/{n}", tuple(2 + (7 * n + 3 * i) % 250 for i in range(6 + n % 5)), 3, float(n % 2))
    for n in range(10)
]
PAIRS = [PairRow(f"p/{n}", ROWS[n], ROWS[n + 1]) for n in range(9)]
OF_METHOD: dict[str, Sequence[Any]] = {
    "sft": ROWS,
    "dpo": PAIRS,
    "kto": [LabelledRow(row) for row in ROWS],
    "reward": ROWS,
}
SCHEDULE = Schedule(epochs=3, batch_size=4, learning_rate=1e-2, batch_tokens=24)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_teachable_llama(tmp_path_factory.mktemp("teachable"))


def adapted(folder: Path, task: str = "CAUSAL_LM", dropout: float = 0.0) -> Any:
    base = (
        AutoModelForCausalLM.from_pretrained(folder)
        if task == "CAUSAL_LM"
        else AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    )
    return with_lora(base.requires_grad_(requires_grad=False), LoraSettings(rank=4, dropout=dropout), task, seed=0)


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in trained_parameters(model).items()}


def test_training_lowers_the_loss_and_leaves_the_model_itself_alone(llama: Path):
    model = adapted(llama)
    before = {name: tensor.clone() for name, tensor in model.named_parameters() if not tensor.requires_grad}
    losses = train(model, ROWS, Sft(), Schedule(epochs=20, batch_size=5, learning_rate=1e-2))
    assert len(losses) == 40
    assert sum(losses[-2:]) < 0.5 * sum(losses[:2])
    assert all(torch.equal(before[name], dict(model.named_parameters())[name]) for name in before)
    trained = trained_parameters(model)
    assert trained
    assert all("lora_" in name for name in trained)


def nll(model: Any, row: TrainingRow) -> float:
    """The loss of one row by its definition, without padding or a batch."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.ids])).logits[0].double()
    places = range(row.start, len(row.ids))
    return -sum(float(logits[place - 1].log_softmax(0)[row.ids[place]]) for place in places)


def test_the_loss_of_sft_is_that_of_each_completion_alone(llama: Path):
    model = adapted(llama)
    train(model, ROWS, Sft(), Schedule(epochs=1, batch_size=5, learning_rate=1e-2))  # so that the adapter matters
    with torch.no_grad():
        together = float(Sft().loss_sum(model, ROWS))
    assert together == pytest.approx(sum(nll(model, row) for row in ROWS), rel=1e-4)
    first = train(adapted(llama), ROWS, Sft(), Schedule(epochs=1, batch_size=10, batch_tokens=1))[0]
    tokens = sum(len(row.ids) - row.start for row in ROWS)
    assert first == pytest.approx(sum(nll(adapted(llama), row) for row in ROWS) / tokens, rel=1e-4)


def test_the_loss_of_a_reward_model_is_the_cross_entropy_of_its_score(llama: Path):
    model = adapted(llama, "SEQ_CLS")
    expected = 0.0
    for row in ROWS:
        with torch.no_grad():
            score = torch.sigmoid(model(input_ids=torch.tensor([row.ids])).logits[0, 0].double())
        expected -= float(torch.log(score if row.reward else 1 - score))
    with torch.no_grad():
        assert float(Reward().loss_sum(model, ROWS)) == pytest.approx(expected, rel=1e-4)
    losses = train(model, ROWS, Reward(), Schedule(epochs=30, batch_size=10, learning_rate=1e-2))
    assert losses[-1] < 0.5 * losses[0]
    assert any("score" in name for name in trained_parameters(model)), "the head learns too"


@pytest.mark.parametrize("method", ["sft", "reward"])
def test_what_is_trained_is_in_float32_beside_a_model_in_half_precision(llama: Path, method: str):
    way = find_method(method)
    options: dict[str, Any] = {"num_labels": 1} if method == "reward" else {}
    auto_class = AutoModelForSequenceClassification if method == "reward" else AutoModelForCausalLM
    base = auto_class.from_pretrained(llama, dtype=torch.bfloat16, **options).requires_grad_(requires_grad=False)
    model = with_lora(base, LoraSettings(rank=4), way.task, seed=0)
    assert {tensor.dtype for tensor in trained_parameters(model).values()} == {torch.float32}
    losses = train(model, ROWS, way, Schedule(epochs=30, batch_size=10, learning_rate=1e-2))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("method", METHODS)
def test_how_many_tokens_are_computed_at_once_changes_nothing(llama: Path, method: str):
    way, rows = find_method(method), OF_METHOD[method]
    few, many = adapted(llama, way.task), adapted(llama, way.task)
    one = train(few, rows, way, SCHEDULE)
    other = train(many, rows, way, Schedule(3, 4, 1e-2, batch_tokens=4096))
    assert one == pytest.approx(other, rel=1e-3)


class StopAfter:
    """Progress that ends the process's work after some steps, as ^C would."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def message(self, text: str) -> None:
        """Ignore the line."""

    def task(self, title: str, total: int, done: int = 0) -> "StopAfter":
        return self

    def __enter__(self) -> Any:
        return self.advance

    def __exit__(self, *_: object) -> None:
        """End."""

    def advance(self, count: int = 1, note: str = "", more: int = 0) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_training_ends_as_if_it_had_not_been(llama: Path, tmp_path: Path, method: str):
    way, rows = find_method(method), OF_METHOD[method]
    whole = adapted(llama, way.task, dropout=0.2)
    losses = train(whole, rows, way, SCHEDULE)
    checkpoint = Checkpoint(tmp_path / "checkpoint", "this one")
    for steps in (2, 0, 4):
        with pytest.raises(KeyboardInterrupt):
            train(
                adapted(llama, way.task, dropout=0.2),
                rows,
                way,
                SCHEDULE,
                checkpoint,
                StopAfter(steps),  # type: ignore[arg-type]
                save_seconds=0,
            )
    resumed = adapted(llama, way.task, dropout=0.2)
    assert train(resumed, rows, way, SCHEDULE, checkpoint, save_seconds=0) == losses
    expected = state(whole)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state(resumed).items())


def test_a_checkpoint_of_another_training_is_refused(llama: Path, tmp_path: Path):
    train(adapted(llama), ROWS, Sft(), SCHEDULE, Checkpoint(tmp_path, "one"), save_seconds=0)
    with pytest.raises(QprobeError, match="unfinished training with other data or settings: give the same ones"):
        train(adapted(llama), ROWS, Sft(), SCHEDULE, Checkpoint(tmp_path, "other"))
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(QprobeError, match=r"is damaged .*: remove it to begin the training anew"):
        train(adapted(llama), ROWS, Sft(), SCHEDULE, Checkpoint(tmp_path, "one"))


class Diverges(Sft):
    """A method whose loss is not finite."""

    def loss_sum(self, model: Any, rows: Sequence[TrainingRow]) -> torch.Tensor:
        return super().loss_sum(model, rows) * float("nan")


def test_a_loss_that_is_not_finite_ends_the_training(llama: Path):
    with pytest.raises(QprobeError, match=r"The loss of step 1 is nan: lower --learning-rate"):
        train(adapted(llama), ROWS, Diverges(), SCHEDULE)


def test_the_learning_rate_rises_and_falls_to_nothing():
    rates = [Schedule(learning_rate=1.0).rate(step, 20) for step in range(20)]
    assert max(rates) == 1.0
    assert rates[0] == 0.5
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.1


def test_an_unknown_method_is_refused():
    with pytest.raises(QprobeError, match=r"Unknown method of fine-tuning 'sftt'\..*Did you mean sft\?"):
        find_method("sftt")
    with pytest.raises(QprobeError, match="--beta is about the methods dpo and kto: leave it out with --method sft"):
        find_method("sft", 0.2)


def test_an_adapter_has_as_many_parameters_as_estimated(llama: Path):
    model = adapted(llama)
    linear = sum(
        sum(module.weight.shape)
        for name, module in AutoModelForCausalLM.from_pretrained(llama).named_modules()
        if isinstance(module, torch.nn.Linear) and name != "lm_head"
    )
    size = ModelSize(1, 4, 2, 32, 300, linear)
    assert size.trained(4) == sum(tensor.numel() for tensor in trained_parameters(model).values())
    assert size.training_bytes(4, 2048) > size.training_bytes(4, 1024)


def test_a_checkpoint_is_a_file_of_tensors(llama: Path, tmp_path: Path):
    model = adapted(llama)
    train(model, ROWS, Sft(), SCHEDULE, Checkpoint(tmp_path, "k"), save_seconds=0)
    tensors = load_file(tmp_path / FILE)
    assert len(tensors) == 3 * len(trained_parameters(model))
