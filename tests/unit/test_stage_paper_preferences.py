"""The paper's table of preferences on a real small model: every win rate again from the stored replies and rewards."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification
from typer.testing import CliRunner

from harness.commands.main import app
from harness.errors import QprobeError
from harness.probes import load_probe
from harness.reports.given_scores import read_scores
from harness.runs.store import Store
from harness.stages.paper.options import PaperOptions
from harness.stages.paper.preference_rows import PREFERENCE_ROWS
from harness.stages.paper.preference_runs import PreferenceRuns
from harness.stages.paper.table import chosen_rows, make_cells
from harness.stages.rank import open_reader, rank
from tests.tiny_models import SMALL, save_teachable_llama, tokenizer

pytest.importorskip("peft", reason="peft is not installed")
SETTINGS = ("--k", "3", "--epochs", "1", "--max-new-tokens", "6", "--device", "cpu", "--limit", "6")


def row(number: int, split: str) -> dict[str, str]:
    return {
        "prompt": f"\n\nHuman: f{number}\n\nAssistant:",
        "chosen": f" return x{number}",
        "rejected": f" assert {number}!",
        "split": split,
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A model that writes and is read, and one that rewards."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    save_teachable_llama(folder / "llama")
    torch.manual_seed(1)
    config = LlamaConfig(**SMALL, max_position_embeddings=512, num_labels=1, pad_token_id=1, eos_token_id=0)
    LlamaForSequenceClassification(config).save_pretrained(folder / "reward")
    tokenizer().save_pretrained(folder / "reward")
    return {name: f"hf:{folder / name}" for name in ("llama", "reward")}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, models: dict[str, str]) -> PaperOptions:
    """Twelve pairs to train on, and eight to test on, one of which has a training prompt."""
    file = tmp_path_factory.mktemp("data") / "mine.jsonl"
    rows = [row(number, "train") for number in range(12)] + [row(number, "test") for number in range(11, 19)]
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return PaperOptions(
        model=models["llama"],
        reward_model=models["reward"],
        preferences=True,
        train=str(file),
        k=3,
        epochs=1,
        max_new_tokens=6,
        limit=6,
        device="cpu",
    )


@pytest.fixture(scope="module")
def folder(options: PaperOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reproduction by the command line."""
    folder = tmp_path_factory.mktemp("paper") / "paper"
    call = ["reproduce", "paper", "--preferences", "--folder", str(folder), "--model", options.model]
    done = CliRunner().invoke(app, [*call, "--train", options.train, "--reward-model", options.reward_model, *SETTINGS])
    assert (done.exit_code, done.exception) == (0, None), done.output
    text = " ".join(done.output.split())
    assert "kto-probe" in text
    assert "60.93 %, the training accuracy on a random 20 % of the pairs" in text
    return folder


def cells(folder: Path) -> dict[str, dict]:
    made = json.loads((folder / "preferences.json").read_text())
    return {cell["row"]: cell for cell in made["cells"]}


def rewards(folder: Path, kind: str) -> dict[str, list[tuple[float, float]]]:
    """By prompt, the reward of each reply and of the chosen one."""
    scores = read_scores(folder / "preferences" / f"{kind}-replies" / "scores" / "classifier.jsonl")
    chosen = read_scores(folder / "preferences" / "chosen-replies" / "scores" / "classifier.jsonl")
    of_chosen = {sample.problem_id: value for sample, value in chosen.items()}
    by_prompt: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for sample, value in sorted(scores.items()):
        by_prompt[sample.problem_id].append((value, of_chosen[sample.problem_id]))
    return by_prompt


def beats(pair: tuple[float, float]) -> float:
    return 1.0 if pair[0] > pair[1] else 0.5 if pair[0] == pair[1] else 0.0


def picks(folder: Path, kind: str) -> Mapping[str, int]:
    """The reply of each prompt that the probe's file picks, as qprobe rank would."""
    probe = load_probe(folder / "preferences" / f"{kind}-pairs" / "probes" / "pairwise.safetensors")
    with Store(folder / "preferences" / f"{kind}-replies", read_only=True) as store:
        rankings = rank(probe, list(store.completions()), open_reader(probe))
    return {ranking.problem_id: ranking.picked.completion.index for ranking in rankings}


def test_every_row_is_a_number_or_a_reason(folder: Path):
    made = cells(folder)
    assert list(made) == [one.name for one in PREFERENCE_ROWS]
    assert made["ppo"]["reason"] == "no PPO"
    for name, cell in made.items():
        assert (cell["ours"] is None) == bool(cell["reason"]) == (name == "ppo"), cell
    assert "| kto-probe |" in (folder / "preferences.md").read_text()


def test_every_win_rate_is_that_of_the_stored_rewards(folder: Path):
    made = cells(folder)
    for kind, sample, probed in (
        ("base", "base", "probe"),
        *((kind, kind, f"{kind}-probe") for kind in ("dpo", "kto")),
    ):
        by_prompt = rewards(folder, kind)
        assert len(by_prompt) == 6
        mean = fmean(fmean(map(beats, pairs)) for pairs in by_prompt.values())
        assert made[sample]["ours"]["value"] == pytest.approx(mean)
        chosen = picks(folder, kind)
        picked = fmean(beats(pairs[chosen[prompt]]) for prompt, pairs in by_prompt.items())
        assert made[probed]["ours"]["value"] == pytest.approx(picked), kind
        assert made[probed]["ours"]["low"] <= picked <= made[probed]["ours"]["high"]
    best = fmean(beats(max(pairs)) for pairs in rewards(folder, "base").values())
    assert made["oracle"]["ours"]["value"] == pytest.approx(best)
    assert made["oracle"]["difference"]["value"] == pytest.approx(best - 0.9159)


def test_no_training_prompt_is_tested_on(folder: Path):
    with Store(folder / "preferences" / "base-replies", read_only=True) as store:
        tested = {problem.prompt for problem in store.problems()}
    with Store(folder / "preferences" / "base-pairs", read_only=True) as store:
        trained = {problem.prompt for problem in store.problems()}
    assert (len(tested), len(trained)) == (6, 12)
    assert not tested & trained


class Listening:
    """Progress that keeps the messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)

    def task(self, title: str, total: int, done: int = 0) -> object:
        from harness.progress import SILENT

        return SILENT.task(title, total, done)


def test_a_rerun_draws_trains_and_scores_nothing(folder: Path, options: PaperOptions):
    told = Listening()
    runs = PreferenceRuns(folder, options, told)  # type: ignore[arg-type]
    before = cells(folder)
    for cell in make_cells(runs, chosen_rows(("base", "kto", "kto-probe", "accuracy"), PREFERENCE_ROWS)):
        assert cell.as_json()["ours"] == before[cell.row.name]["ours"]
    assert {line for line in told.lines if line.startswith("Generated")} == {"Generated 0 samples."}
    assert any(line.startswith("The adapter exists already") for line in told.lines)
    assert not any(line.startswith("Trained ") for line in told.lines)
    assert all(line.startswith("Scored 0 samples") for line in told.lines if line.startswith("Scored"))


def test_a_judge_in_place_of_rewards(folder: Path, options: PaperOptions, models: dict[str, str]):
    """The small model answers nonsense, so that there is no verdict, and no win."""
    pytest.importorskip("openai", reason="openai is not installed")
    from tests.model_server import serve

    with serve(Path(models["llama"].removeprefix("hf:"))) as server:
        judged = replace(options, reward_model="", judge=f"openai:tiny,url={server.url}")
        runs = PreferenceRuns(folder, judged)
        made = make_cells(runs, chosen_rows(("base", "probe", "oracle"), PREFERENCE_ROWS))
        asked = len(server.seen)
    assert [cell.reason for cell in made] == ["no verdict", "no verdict", "no rewards"]
    assert asked > 0
    unjudged = PreferenceRuns(folder, replace(options, reward_model=""))
    assert [cell.reason for cell in make_cells(unjudged, chosen_rows(("base",), PREFERENCE_ROWS))] == ["no judge"]


def test_the_figures_are_those_of_the_paper():
    paper = {one.name: one.paper.get("preferences") for one in PREFERENCE_ROWS}
    assert {name: value for name, value in paper.items() if value} == {
        "base": 0.3786,
        "ppo": 0.4407,
        "dpo": 0.4497,
        "kto": 0.5146,
        "probe": 0.5010,
        "kto-probe": 0.5501,
        "oracle": 0.9159,
    }
    with pytest.raises(QprobeError, match=r"Unknown row 'pg'\. Choose from base, sft"):
        chosen_rows(("pg",), PREFERENCE_ROWS)


def test_what_every_row_would_fail_at_is_an_error_before_any_run(options: PaperOptions, tmp_path: Path):
    same = tmp_path / "same.jsonl"
    blank = row(1, "test") | {"prompt": "\n\nHuman:  f1\n\nAssistant:"}
    same.write_text("".join(json.dumps(one) + "\n" for one in (row(1, "train"), blank)))
    for change, complaint in [
        ({"model": "openai:m"}, "--model is a model of transformers"),
        ({"judge": "openai:m"}, "Give either --judge MODEL or --reward-model MODEL"),
        ({"train": "nowhere"}, "Unknown pair set 'nowhere'"),
        ({"splits": ("validation",)}, "has no split 'validation'"),
        ({"splits": ("test",)}, "The split test is held out"),
        ({"tests": ("a.jsonl", "b.jsonl")}, "takes one pair set in --test-on"),
        ({"tests": ("nowhere",)}, "Unknown pair set 'nowhere'"),
        ({"layers": "99"}, "Unknown layer 99"),
        ({"train": str(same)}, "All 1 test prompts are training prompts too: name other pairs in --test-on"),
    ]:
        with pytest.raises(QprobeError, match=complaint):
            PreferenceRuns(tmp_path / "paper", replace(options, **change)).check()
    assert not (tmp_path / "paper").exists()
