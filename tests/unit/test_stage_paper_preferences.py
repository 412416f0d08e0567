"""The paper's table of preferences on a real small model: every win rate again from the stored replies and rewards."""

import json
import shutil
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification
from typer.testing import CliRunner

from benchmarks.pairs import open_pairs
from harness.commands.main import app
from harness.errors import QprobeError
from harness.probes import load_probe
from harness.reports.given_scores import read_scores
from harness.rewards.judge import open_judge
from harness.runs.store import Store
from harness.stages.paper.options import PaperOptions
from harness.stages.paper.preference_rows import PREFERENCE_ROWS
from harness.stages.paper.preference_runs import PreferenceRuns
from harness.stages.paper.table import chosen_rows, make_cells
from harness.stages.rank import open_reader, rank
from harness.stages.win_rates import CHOSEN, comparisons, read_samples
from harness.stats import SelectionRule
from scripts import recompute_preferences
from scripts.recompute_preferences import Table
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


def test_every_row_is_computed_again_from_the_stored_files(folder: Path):
    table = Table(folder)
    made = {name: cell["ours"]["value"] for name, cell in cells(folder).items() if cell["ours"]}
    assert made == pytest.approx({name: table.recomputed(name) for name in made}, abs=1e-6)
    assert len(made) == len(PREFERENCE_ROWS) - 1


def test_a_figure_that_the_files_do_not_give_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    copied = Path(shutil.copytree(folder, tmp_path / "paper"))
    monkeypatch.setattr("sys.argv", ["recompute", str(copied)])

    def wrong() -> list[str]:
        with pytest.raises(SystemExit) as ended:
            recompute_preferences.main()
        named = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.endswith("DIFFERS")]
        assert ended.value.code == bool(named)
        return named

    assert wrong() == []
    scores = copied / "preferences" / "dpo-replies" / "scores" / "classifier.jsonl"
    picked = picks(copied, "dpo")
    rows = [json.loads(line) for line in scores.read_text().splitlines()]
    raised = [{**one, "score": 99.0 if one["index"] == picked[one["problem"]] else -99.0} for one in rows]
    scores.write_text("".join(json.dumps(one) + "\n" for one in raised))
    assert set(wrong()) <= {"dpo", "dpo-probe"}
    assert wrong()


def answered(text: str) -> str:
    """A made-up answer, nonsense to one question of five."""
    return ("A", "B", "Reply B is better.", "tie", "It depends.")[zlib.crc32(text.encode()) % 5]


def test_a_judges_rows_are_computed_again_from_its_answers(folder: Path, options: PaperOptions, tmp_path: Path):
    """All that is asked has three answers already, so that no server is needed."""
    pytest.importorskip("openai", reason="openai is not installed")
    copied, spec = Path(shutil.copytree(folder, tmp_path / "paper")), "openai:tiny,url=http://127.0.0.1:9/v1"
    judge = open_judge(spec, copied / "preferences")
    probe = load_probe(copied / "preferences" / "base-pairs" / "probes" / "pairwise.safetensors")
    with Store(copied / "preferences" / "base-replies") as store:
        replies = read_samples(store, probe, open_pairs(options.train))
    asked = [
        one
        for names, own in comparisons(replies, "probe", SelectionRule()).items()
        if names[1] == CHOSEN
        for one in own
    ]
    rows = [
        {"key": judge._key(order), "answer": answered(order.text)} for one in asked for order in (one, one.swapped())
    ]
    judge.path.parent.mkdir()
    judge.path.write_text("".join(json.dumps(one) + "\n" for one in rows * 3))
    call = ["reproduce", "paper", "--preferences", "--folder", str(copied), "--model", options.model, *SETTINGS]
    call += ["--train", options.train, "--judge", spec, "--rows", "base,longest,probe,accuracy"]
    done = CliRunner().invoke(app, call)
    assert (done.exit_code, done.exception) == (0, None), done.output
    made, table = cells(copied), Table(copied)
    assert len({made[name]["ours"]["value"] for name in made}) > 1
    for name, cell in made.items():
        assert table.recomputed(name) == pytest.approx(cell["ours"]["value"], abs=1e-6), name


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
        ({"judge": "nope:m", "reward_model": ""}, "Unknown scheme 'nope'"),
        ({"reward_model": "hf:/nowhere"}, "There is no folder /nowhere"),
        ({"api_model": "openai:m"}, "--api-model makes no difference to this table: leave it out with --preferences"),
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
