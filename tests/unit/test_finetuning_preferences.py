# ruff: noqa: ANN401 - models of peft and trainers of trl
"""DPO and KTO: the loss by its definition, loss and gradient beside trl's own, and what an adapter learns."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.pairs import open_pairs
from harness.finetuning.dpo import Dpo
from harness.finetuning.kto import Kto, mismatched
from harness.finetuning.lora import LoraSettings, trained_parameters, with_lora
from harness.finetuning.methods import Method
from harness.finetuning.rows import LabelledRow, PairRow, TrainingRow
from harness.finetuning.sft import Sft
from harness.finetuning.training import Schedule, train
from harness.runs.store import Store
from harness.runs.training_problems import training_problems
from harness.stages.finetune_rows import ROWS, RowLimits, SampleTokens
from harness.stages.preferences import import_pairs
from tests.tiny_models import save_teachable_llama

pytest.importorskip("peft", reason="peft is not installed")
TEXTS = [
    {"prompt": f"def f{number}(x):", "chosen": f" return x + {number}\n", "rejected": f" assert {number} - x - x\n"}
    for number in range(8)
]
BETA = 0.3


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_teachable_llama(tmp_path_factory.mktemp("teachable"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, llama: Path) -> dict[str, list[Any]]:
    """The rows of a run of these pairs, by method."""
    folder = tmp_path_factory.mktemp("rows")
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in TEXTS))
    with Store(folder / "run", create=True) as store:
        import_pairs(store, open_pairs(str(file)))
        problems, tokens = training_problems(store), SampleTokens(f"hf:{llama}", "cpu")
        return {method: ROWS[method](store, problems, tokens, RowLimits(8, 512)) for method in ("sft", "dpo", "kto")}


def moved(folder: Path, rows: dict[str, list[Any]]) -> Any:
    """A model with an adapter that makes all replies of this kind likelier, so that it differs from the model."""
    base = AutoModelForCausalLM.from_pretrained(folder).requires_grad_(requires_grad=False)
    model = with_lora(base, LoraSettings(rank=4), "CAUSAL_LM", seed=0)
    train(model, rows["sft"], Sft(), Schedule(epochs=4, batch_size=4, learning_rate=2e-3))
    model.zero_grad()
    return model


def log_probability(model: Any, row: TrainingRow) -> float:
    """The log-probability of a completion by its definition, without padding or a batch."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.ids])).logits[0].double()
    places = range(row.start, len(row.ids))
    return sum(float(logits[place - 1].log_softmax(0)[row.ids[place]]) for place in places)


def log_ratio(model: Any, row: TrainingRow) -> float:
    with model.disable_adapter():
        plain = log_probability(model, row)
    return log_probability(model, row) - plain


def loss_of(method: Method[Any], model: Any, given: Sequence[Any]) -> torch.Tensor:
    """The loss of a step, as the loop computes it."""
    model.train()
    return method.loss_sum(model, method.prepared(model, given, 64)) / len(given)


def sigmoid(value: float) -> float:
    return float(torch.sigmoid(torch.tensor(value, dtype=torch.float64)))


def test_the_rows_are_the_pairs(rows: dict[str, list[Any]], llama: Path):
    decode = AutoTokenizer.from_pretrained(llama).decode
    pairs: list[PairRow] = rows["dpo"]
    for pair, text in zip(pairs, TEXTS, strict=True):
        assert decode(pair.chosen.ids) == text["prompt"] + text["chosen"] + "<eos>"
        assert decode(pair.rejected.ids) == text["prompt"] + text["rejected"] + "<eos>"
        assert decode(pair.chosen.ids[: pair.chosen.start]) == text["prompt"]
    wanted = {row.completion.ids for row in rows["kto"] if row.completion.reward}
    assert wanted == {pair.chosen.ids for pair in pairs} == {row.ids for row in rows["sft"]}
    assert {row.completion.ids for row in rows["kto"] if not row.completion.reward} == {
        pair.rejected.ids for pair in pairs
    }


def test_the_loss_of_dpo_is_that_of_its_definition(rows: dict[str, list[Any]], llama: Path):
    model, pairs = moved(llama, rows), rows["dpo"]
    margins = [log_ratio(model, pair.chosen) - log_ratio(model, pair.rejected) for pair in pairs]
    expected = fmean(-float(torch.tensor(sigmoid(BETA * margin)).log()) for margin in margins)
    assert float(loss_of(Dpo(BETA), model, pairs).detach()) == pytest.approx(expected, rel=1e-4)
    fresh = AutoModelForCausalLM.from_pretrained(llama).requires_grad_(requires_grad=False)
    start = loss_of(Dpo(BETA), with_lora(fresh, LoraSettings(rank=4), "CAUSAL_LM", seed=0), pairs)
    assert float(start.detach()) == pytest.approx(0.6931, abs=1e-3), "before the first step the models are equal"


def test_the_loss_of_kto_is_that_of_its_definition(rows: dict[str, list[Any]], llama: Path):
    model, labelled = moved(llama, rows), rows["kto"]
    completions = [row.completion for row in labelled]
    divergence = max(0.0, fmean(log_ratio(model, row) for row in mismatched(completions)))
    assert divergence > 0, "otherwise the term would go untested"
    losses = []
    for row in completions:
        value = BETA * (log_ratio(model, row) - divergence)
        losses.append(1 - sigmoid(value if row.reward else -value))
    assert float(loss_of(Kto(BETA), model, labelled).detach()) == pytest.approx(fmean(losses), rel=1e-4)
    alone = Kto(BETA).prepared(model, labelled[:1], 64)
    assert alone[0].divergence == 0.0


def test_mismatched_completions_stand_behind_other_prompts_and_no_row_becomes_longer():
    given = [TrainingRow("a", (1, 2, 3), 2), TrainingRow("b", (4, 5, 6, 7, 8), 1), TrainingRow("c", (9, 10, 11), 1)]
    made = mismatched(given)
    assert [(row.ids, row.start) for row in made] == [
        ((1, 2, 10, 11), 2),
        ((4, 3), 1),
        ((9, 5, 6, 7, 8), 1),
    ]
    assert mismatched([given[1], replace(given[0], ids=(1, 2, 3, 9), start=3)])[1].ids == (3, 5, 6, 7, 8)


@pytest.mark.parametrize("method", [Dpo(0.5), Kto(0.5)], ids=["dpo", "kto"])
def test_an_adapter_prefers_the_chosen_replies_of_prompts_it_has_not_seen(
    rows: dict[str, list[Any]], llama: Path, method: Method[Any]
):
    base = AutoModelForCausalLM.from_pretrained(llama).requires_grad_(requires_grad=False)
    model = with_lora(base, LoraSettings(rank=4), "CAUSAL_LM", seed=0)
    seen, unseen = rows["dpo"][:6], rows["dpo"][6:]
    learnt = (
        seen if isinstance(method, Dpo) else [LabelledRow(side) for row in seen for side in (row.chosen, row.rejected)]
    )
    losses = train(model, learnt, method, Schedule(epochs=8, batch_size=6, learning_rate=5e-3))
    assert losses[-1] < losses[0]
    for pairs in (seen, unseen):
        margins = [log_ratio(model, pair.chosen) - log_ratio(model, pair.rejected) for pair in pairs]
        assert min(margins) > 1.0, margins


@pytest.fixture
def trl() -> Any:
    return pytest.importorskip("trl", reason="trl is not installed")


@pytest.fixture
def trainers(trl: Any, llama: Path, tmp_path: Path) -> dict[str, Any]:
    """Functions that make trl's trainer of the texts, by method."""
    from datasets import Dataset
    from peft import LoraConfig

    def trainer(kind: str) -> Any:
        shared = {"output_dir": str(tmp_path / kind), "use_cpu": True, "report_to": [], "beta": BETA}
        shared |= {"max_length": None, "bf16": False, "gradient_checkpointing": False, "logging_strategy": "no"}
        labelled = [
            {"prompt": text["prompt"], "completion": text[side], "label": side == "chosen"}
            for text in TEXTS
            for side in ("chosen", "rejected")
        ]
        data = Dataset.from_list(TEXTS if kind == "dpo" else labelled)
        made, config = (trl.DPOTrainer, trl.DPOConfig) if kind == "dpo" else (trl.KTOTrainer, trl.KTOConfig)
        return made(
            model=AutoModelForCausalLM.from_pretrained(llama),
            args=config(**shared, per_device_train_batch_size=len(data)),
            train_dataset=data,
            processing_class=AutoTokenizer.from_pretrained(llama),
            peft_config=LoraConfig(r=4, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        )

    return {"dpo": trainer, "kto": trainer}


def as_trl_orders(kind: str, given: Sequence[Any]) -> list[Any]:
    """The rows in trl's order: for KTO, whose divergence depends on it, a prompt's chosen reply first."""
    if kind == "dpo":
        return list(given)
    return sorted(given, key=lambda row: (row.problem_id, not row.completion.reward))


@pytest.mark.filterwarnings("ignore")  # trl's own, and those of what it imports
@pytest.mark.parametrize("kind", ["dpo", "kto"])
def test_loss_and_gradient_are_those_of_trl(
    rows: dict[str, list[Any]], llama: Path, trainers: dict[str, Any], kind: str
):
    theirs = trainers[kind](kind)
    given, data = as_trl_orders(kind, rows[kind]), list(theirs.train_dataset)
    for row, other in zip(given, data, strict=True):
        sides = (
            {"chosen_ids": row.chosen, "rejected_ids": row.rejected}
            if kind == "dpo"
            else {"completion_ids": row.completion}
        )
        assert all(list(side.ids) == other["prompt_ids"] + other[name] for name, side in sides.items())
    model = moved(llama, rows)
    own = trained_parameters(model)
    their_parameters = trained_parameters(theirs.model)
    assert own.keys() == their_parameters.keys()
    with torch.no_grad():
        for name, tensor in their_parameters.items():
            tensor.copy_(own[name])
    their_loss = theirs.compute_loss(theirs.model, theirs.data_collator(data))
    their_loss.backward()
    loss = loss_of(Dpo(BETA) if kind == "dpo" else Kto(BETA), model, given)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(their_loss.detach()), rel=1e-5)
    for name, tensor in own.items():
        assert tensor.grad is not None
        torch.testing.assert_close(tensor.grad, their_parameters[name].grad, rtol=1e-3, atol=1e-6)
    assert max(float(tensor.grad.abs().max()) for tensor in own.values() if tensor.grad is not None) > 1e-3
