# ruff: noqa: ANN401 - models of transformers
"""Reward models: each score by its definition, from the model itself; files that resume, and no training problem."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
)
from typer.testing import CliRunner

from benchmarks.mini import MODEL
from harness.commands.main import app
from harness.errors import QprobeError
from harness.models.tokens import Text
from harness.reports.build import report
from harness.reports.given_scores import read_scores, with_scores
from harness.reports.inputs import read_inputs
from harness.rewards.prompted import SPELLINGS, PromptedReward
from harness.rewards.score_card import read_score_card
from harness.rewards.scorer import Judged, open_scorer
from harness.runs.store import Store
from harness.stages.finetune import finetune
from harness.stages.finetune_options import FinetuneOptions
from harness.stages.probe import probe
from harness.stages.score import score
from tests.runs import make_run
from tests.tiny_models import (
    SMALL,
    save_bloom,
    save_gemma2,
    save_gpt2,
    save_gpt_oss,
    save_mamba,
    save_mistral,
    save_teachable_llama,
    tokenizer,
)

TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[it]{% endif %}"
)
JUDGED = [
    Judged(
        f"def f{n}(x):\n",
        f"def f{n}(x):\n    return {'x' * n}\n",
        Text.of(f"def f{n}(x):\n", f"    return {'x' * n}\n"),
    )
    for n in range(1, 7)
]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_teachable_llama(tmp_path_factory.mktemp("teachable"))


@pytest.fixture(scope="module")
def chat(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with a chat template."""
    folder = tmp_path_factory.mktemp("chat")
    AutoModelForCausalLM.from_pretrained(llama).save_pretrained(folder)
    words = tokenizer()
    words.chat_template = TEMPLATE
    words.save_pretrained(folder)
    return folder


def yes_against_no(folder: Path, prompt: str) -> float:
    """The score by its definition, from all logits of one unpadded text."""
    words, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        chances = model(torch.tensor([words(prompt).input_ids])).logits[0, -1].double().softmax(0)
    first = {
        word: {words(spelling, add_special_tokens=False).input_ids[0] for spelling in spellings}
        for word, spellings in SPELLINGS.items()
    }
    space = {token for tokens in first.values() for token in tokens if not words.decode([token]).strip()}
    sums = {word: sum(float(chances[token]) for token in tokens - space) for word, tokens in first.items()}
    return float(torch.tensor(sums["yes"] / sums["no"]).log())


@pytest.mark.parametrize("kind", ["llama", "chat"])
def test_a_prompted_score_is_the_log_odds_of_yes(kind: str, request: pytest.FixtureRequest):
    folder: Path = request.getfixturevalue(kind)
    scorer = PromptedReward(f"hf:{folder}", device="cpu")
    scores = scorer.score(JUDGED)
    for judged, value in zip(JUDGED, scores, strict=True):
        prompt = scorer.prompt(judged)
        assert prompt.startswith("[user]") == (kind == "chat")
        assert prompt.endswith("[it]" if kind == "chat" else "Answer:")
        assert judged.program.strip() in prompt
        assert value == pytest.approx(yes_against_no(folder, prompt), abs=1e-3)
    assert scorer.parameters == sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(folder).parameters())
    assert (scorer.labels, scorer.identity["chat"]) == (0, kind == "chat")


OF_ONE = [replace(JUDGED[0], program=f"def f1(x):\n    return {end}\n") for end in ("x", "x * x", "-x", "x")]
"""Samples of one problem."""


def tokens_read(scorer: Any) -> list[int]:
    """Return a list to which every pass of a model adds its number of tokens."""
    read: list[int] = []
    scorer._weights.get_input_embeddings().register_forward_pre_hook(lambda _, ids: read.append(ids[0].numel()))
    return read


def test_what_the_questions_of_a_problem_begin_with_is_read_once(chat: Path):
    samples, scorer = OF_ONE, PromptedReward(f"hf:{chat}", device="cpu")
    read = tokens_read(scorer)
    together = scorer.score(samples)
    length = len(scorer.model.tokenizer(scorer.prompt(samples[1])).input_ids)
    assert sum(read) < 2 * length, "four questions, each less than twice the others' beginning"
    alone = [yes_against_no(chat, scorer.prompt(sample)) for sample in samples]
    assert together == pytest.approx(alone, abs=1e-3)
    assert len(set(alone)) == 3
    assert scorer.score(samples[:1] * 2) == pytest.approx(alone[:1] * 2, abs=1e-3)
    assert scorer.score([]) == []


def test_what_the_texts_of_a_problem_begin_with_is_read_once_by_a_causal_classifier(tmp_path: Path):
    causal = open_scorer("classifier", f"hf:{save_classifier(tmp_path / 'causal', {0: 'score'})}", device="cpu")
    encoder = open_scorer("classifier", f"hf:{save_encoder(tmp_path / 'encoder')}", device="cpu")
    for scorer, saves in ((causal, True), (encoder, False)):
        alone = [scorer.score([sample])[0] for sample in OF_ONE]
        read = tokens_read(scorer)
        assert scorer.score(OF_ONE) == pytest.approx(alone, abs=1e-5)
        assert len(set(alone)) == 3
        assert (len(read) == 2) == saves


def save_encoder(folder: Path) -> Path:
    torch.manual_seed(3)
    BertForSequenceClassification(BertConfig(**SMALL, num_labels=1)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


KINDS = {
    save.__name__[5:]: save for save in (save_gpt2, save_mistral, save_gemma2, save_gpt_oss, save_bloom, save_mamba)
}
"""Models with learnt positions, short windows, sinks, no positions, and a state in the place of keys and values."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [OF_ONE, JUDGED])
def test_what_is_read_once_is_read_right(kind: str, samples: list[Judged], tmp_path: Path):
    scorer = PromptedReward(f"hf:{KINDS[kind](tmp_path)}", device="cpu")
    alone = [yes_against_no(tmp_path, scorer.prompt(sample)) for sample in samples]
    assert scorer.score(samples) == pytest.approx(alone, abs=1e-3)


def save_classifier(folder: Path, labels: dict[int, str], template: str = "") -> Path:
    torch.manual_seed(3)
    config = LlamaConfig(**SMALL, num_labels=len(labels), id2label=labels, eos_token_id=0, pad_token_id=1)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    words = tokenizer()
    words.chat_template = template or None
    words.save_pretrained(folder)
    return folder


def logits(folder: Path, text: str) -> torch.Tensor:
    words = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        return model(torch.tensor([words(text).input_ids])).logits[0].double()


@pytest.mark.parametrize("template", ["", TEMPLATE])
def test_a_classifier_gives_its_logit_or_the_log_odds_of_a_label(tmp_path: Path, template: str):
    one = save_classifier(tmp_path / "one", {0: "score"}, template)
    three = save_classifier(tmp_path / "three", {0: "bad", 1: "fair", 2: "good"}, template)
    for judged in JUDGED[:3]:
        plain = f"{judged.problem.rstrip()}\n\n{judged.program}"
        text = f"[user]{judged.problem}[assistant]{judged.program}" if template else plain
        (value,) = open_scorer("classifier", f"hf:{one}", device="cpu").score([judged])
        assert value == pytest.approx(float(logits(one, text)[0]), abs=1e-4)
        fair = open_scorer("classifier", f"hf:{three}", label="fair", device="cpu").score([judged])[0]
        chances = logits(three, text).softmax(0)
        assert fair == pytest.approx(float((chances[1] / (1 - chances[1])).log()), abs=1e-4)
    together = open_scorer("classifier", f"hf:{one}", device="cpu").score(JUDGED)
    alone = [open_scorer("classifier", f"hf:{one}", device="cpu").score([judged])[0] for judged in JUDGED]
    assert together == pytest.approx(alone, abs=1e-5), "a batch and its padding change nothing"
    with pytest.raises(QprobeError, match="has 3 labels: choose with --label bad, fair, good"):
        open_scorer("classifier", f"hf:{three}", device="cpu")
    with pytest.raises(QprobeError, match="Unknown label 'goood'"):
        open_scorer("classifier", f"hf:{three}", label="goood", device="cpu")


def test_an_encoder_classifies_pairs(tmp_path: Path):
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {name: value for name, value in SMALL.items() if name != "num_key_value_heads"}
    BertForSequenceClassification(BertConfig(**sizes, num_labels=2)).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    (value,) = open_scorer("classifier", f"hf:{tmp_path}", device="cpu").score(JUDGED[:1])
    words = AutoTokenizer.from_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    with torch.no_grad():
        bad, good = model(**words(JUDGED[0].problem, JUDGED[0].program, return_tensors="pt")).logits[0].tolist()
    assert value == pytest.approx(good - bad, abs=1e-4)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, llama: Path) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "train", llama, benchmark="big", numbers=range(8), split="train")
    make_run(folder / "test", llama, benchmark="big", numbers=range(10, 16))
    return folder / "train", folder / "test"


@pytest.fixture(scope="module")
def reward(runs: tuple[Path, Path], llama: Path) -> str:
    """A reward model that was trained on the training run."""
    pytest.importorskip("peft", reason="peft is not installed")
    with Store(runs[0]) as store:
        options = FinetuneOptions(
            method="reward", model=f"hf:{llama}", epochs=30, learning_rate=1e-2, rank=8, device="cpu"
        )
        return f"hf:{llama},adapter={finetune(store, options)[0]}"


def test_a_reward_model_of_training_problems_selects_on_held_out_ones(
    runs: tuple[Path, Path], reward: str, llama: Path
):
    with Store(runs[1]) as store:
        path, card = score(store, open_scorer("classifier", reward, device="cpu"), "classifier", reward)
        probe(store, ["mse"], folds=3)
        inputs = with_scores(read_inputs(store), [path])
        rows = {row.name: row for row in report(inputs).rows}
        assert rows["classifier"].value == 1.0
        assert rows["pass@1"].value == 0.5
        assert report(inputs).costs["classifier"].labels == card.labels == 48
        assert report(inputs).costs["classifier"].forward_passes == 6
    assert str(card).endswith("48 labels, 1 forward pass per sample")
    weights = open_scorer("classifier", reward, device="cpu")
    assert (
        weights.parameters
        == sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(llama).model.parameters()) + 32
    )


def test_a_score_is_that_of_peft_itself(runs: tuple[Path, Path], reward: str, llama: Path):
    """The stored scores again, from the adapter's files alone."""
    from peft import AutoPeftModelForSequenceClassification

    folder = reward.partition("adapter=")[2]
    theirs = AutoPeftModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    words = AutoTokenizer.from_pretrained(llama)
    with Store(runs[1]) as store:
        path, _ = score(store, open_scorer("classifier", reward, device="cpu"), "classifier", reward)
        scores = read_scores(path)
        for completion in store.completions("big/11"):
            ids = [*words(completion.prompt).input_ids, *words(completion.text).input_ids]
            with torch.no_grad():
                value = float(theirs(torch.tensor([ids])).logits[0, 0])
            assert scores[completion.id] == pytest.approx(value, abs=1e-3)


def test_a_reward_model_does_not_score_what_it_was_trained_on(runs: tuple[Path, Path], reward: str):
    with (
        Store(runs[0]) as store,
        pytest.raises(QprobeError, match=r"was trained on 8 problems of .*train, first big/0: score a run of other"),
    ):
        score(store, open_scorer("classifier", reward, device="cpu"), "classifier", reward)


class Interrupted(PromptedReward):
    """One that ends after two problems, as ^C would end it."""

    left = 2

    def score(self, samples: Any) -> list[float]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().score(samples)


def test_scoring_resumes(runs: tuple[Path, Path], llama: Path, tmp_path: Path):
    model = f"hf:{llama}"
    with Store(runs[1]) as store:
        whole, _ = score(store, PromptedReward(model, device="cpu"), "prompted", model, tmp_path / "whole.jsonl")
        path = tmp_path / "part.jsonl"
        with pytest.raises(KeyboardInterrupt):
            score(store, Interrupted(model, device="cpu"), "prompted", model, path)
        assert len(read_scores(path)) == 12
        path.write_text(path.read_text() + '{"problem": "big/1')  # half a line, as a killed command leaves it
        score(store, PromptedReward(model, device="cpu"), "prompted", model, path)
        assert read_scores(path) == read_scores(whole)
        with pytest.raises(QprobeError, match="holds scores of another model or method: name another --output"):
            score(store, PromptedReward(f"hf:{MODEL}", device="cpu"), "prompted", f"hf:{MODEL}", path)
        (tmp_path / "own.jsonl").write_text(json.dumps({"problem": "big/10", "index": 0, "score": 1}) + "\n")
        with pytest.raises(QprobeError, match="qprobe score did not write it"):
            score(store, PromptedReward(model, device="cpu"), "prompted", model, tmp_path / "own.jsonl")
    card = read_score_card(path)
    assert card is not None
    assert replace(card, labels=None).__str__().count("an unknown number of labels") == 1


def test_the_command_line(runs: tuple[Path, Path], llama: Path, tmp_path: Path):
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["score", str(runs[1]), *arguments])

    output = str(tmp_path / "scores.jsonl")
    done = run("--model", f"hf:{llama}", "-o", output)
    assert (done.exit_code, done.exception) == (0, None), done.output
    assert "Scored 36 samples" in done.output
    for arguments, complaint in [
        (("--method", "promted"), "Unknown kind of reward model 'promted'"),
        (("--method", "classifier"), "its files lack 1 of its tensors, such as score.weight"),
        (("--label", "good"), "--label names a class of a classifier"),
    ]:
        failed = run("--model", f"hf:{llama}", *arguments, "-o", str(tmp_path / "x.jsonl"))
        assert isinstance(failed.exception, QprobeError)
        assert complaint in str(failed.exception)
