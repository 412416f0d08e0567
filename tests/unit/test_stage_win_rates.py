"""Win rates of selected replies: against sums by hand, and through the command on a run of the bundled model."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.mini import MODEL
from harness.errors import QprobeError
from harness.models.registry import open_embedder
from harness.probes.probe import Card, Probe
from harness.runs.store import Store
from harness.stages.win_rates import BASE, BEST, CHOSEN, Replies, by_rewards, comparisons, policies
from harness.stats import SelectionRule
from tests.command import qprobe

TEXTS = (("a", "bb", "ccc"), ("dddd", "ee"))
REWARDS = np.array([[0.1, 0.9, 0.5], [0.7, 0.7, 0.0]])
CHOSEN_REWARDS = {"p": 0.5, "q": 0.6}


def replies() -> Replies:
    mask_PN = np.array([[True, True, True], [True, True, False]])
    lengths_PN = np.array([[1.0, 2, 3], [4, 2, 1]])
    scores_PN = np.array([[0.0, 2.0, 1.0], [0.0, 3.0, 9.0]])  # the last is padding
    return Replies(("p", "q"), ("P?", "Q?"), TEXTS, ("chosen p", "chosen q"), mask_PN, lengths_PN, scores_PN)


def written(folder: Path, rows: list[tuple[str, int, float]], name: str = "rewards.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"problem": p, "index": i, "score": score}) + "\n" for p, i, score in rows))
    return path


def all_rewards() -> list[tuple[str, int, float]]:
    return [
        ("pq"[row], column, float(REWARDS[row, column])) for row, own in enumerate(TEXTS) for column in range(len(own))
    ]


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_win_rates_by_rewards_are_the_expectations_over_all_draws(tmp_path: Path, beta: float):
    given = replies()
    chosen = written(tmp_path, [(name, 0, value) for name, value in CHOSEN_REWARDS.items()], "chosen.jsonl")
    rule = SelectionRule(beta)
    result = by_rewards(given, "probe", rule, written(tmp_path, all_rewards()), chosen)
    table = {(row.name, row.other): row.rate for row in result.rows}
    chances = policies(given, "probe", rule)["probe"]

    def beats(one: float, other: float) -> float:
        return 1.0 if one > other else 0.5 if one == other else 0.0

    base, against_chosen = [], []
    for row, own in enumerate(TEXTS):
        pairs = itertools.product(range(len(own)), repeat=2)
        base.append(sum(chances[row, i] / len(own) * beats(REWARDS[row, i], REWARDS[row, j]) for i, j in pairs))
        other = CHOSEN_REWARDS["pq"[row]]
        against_chosen.append(sum(chances[row, i] * beats(REWARDS[row, i], other) for i in range(len(own))))
    assert table["probe", BASE] == pytest.approx(np.mean(base))
    assert table["probe", CHOSEN] == pytest.approx(np.mean(against_chosen))
    assert table[BEST, CHOSEN] == 1.0
    assert result.rewards[BEST] == pytest.approx((0.9 + 0.7) / 2)
    assert result.rewards["base"] == pytest.approx((0.5 + 0.7) / 2)


def test_a_missing_reward_is_named(tmp_path: Path):
    with pytest.raises(QprobeError, match=r"has no reward of sample 1 of q"):
        by_rewards(replies(), "probe", SelectionRule(), written(tmp_path, all_rewards()[:-1]))


def test_a_judge_is_asked_about_the_best_scored_reply_and_the_first_sample():
    asked = comparisons(replies(), "probe", SelectionRule())
    assert [one.first for one in asked["probe", BASE]] == ["bb", "ee"]
    assert [one.second for one in asked["probe", BASE]] == ["a", "dddd"]
    assert [one.second for one in asked["base", CHOSEN]] == ["chosen p", "chosen q"]
    assert [one.first for one in asked["longest", CHOSEN]] == ["ccc", "dddd"]


def test_the_command_on_a_run_of_prompts(tmp_path: Path):
    rows = [
        {"prompt": f"def f{n}(x):\n", "chosen": "    return x\n", "rejected": "    pass\n", "id": f"p{n}"}
        for n in range(3)
    ]
    pairs = tmp_path / "mine.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = tmp_path / "run"
    model = ("--model", f"hf:{MODEL}", "--max-new-tokens", "6", "--k", "2")
    done = qprobe("generate", str(run), "--benchmark", f"pairs:{pairs}", "--split", "train", *model)
    assert done.returncode == 0, done.stderr
    done = qprobe("report", str(run))
    assert done.stderr == f"qprobe: {run} holds replies, which nothing grades: compare them with qprobe win-rate.\n"
    done = qprobe("preferences", str(run), "--pairs", str(pairs), "--embedder", f"hf:{MODEL}")
    assert "holds samples of a model or a file, not pairs: use another run folder" in done.stderr
    with Store(run, read_only=True) as store:
        assert (store.counts()["completions"], store.about.grader) == (6, None), "no reply became a chosen one"
    embedder = open_embedder(f"hf:{MODEL}")
    weights = {"project": torch.ones(1, 1, embedder.width), "offset": torch.zeros(1, 1)}
    fingerprint = str(embedder.identity["fingerprint"])
    card = Card("linear", embedder.views, embedder.width, "pairwise", 0.0, model=embedder.name, fingerprint=fingerprint)
    probe = tmp_path / "ones.safetensors"
    Probe(card, weights).save(probe)
    rewards = written(tmp_path, [(f"p{n}", i, float(i)) for n in range(3) for i in range(2)])
    call = ("win-rate", str(run), "--probe", str(probe))
    for wrong, complaint in [
        (("--rewards", str(tmp_path / "none.jsonl")), "no such file"),
        (("--rewards", str(rewards), "--chosen-rewards", str(rewards)), "--chosen-rewards needs --rewards FILE, and"),
        (("--rewards", str(rewards), "--dry-run"), "--dry-run is about --judge: leave it out with --rewards"),
        (("--rewards", str(rewards), "--price", "1", "2"), "--price is about --judge: leave it out with --rewards"),
        (("--judge", f"hf:{MODEL}"), "has no chat template"),
        (("--judge", "nope:m"), "Unknown scheme 'nope'"),
    ]:
        done = qprobe(*call, *wrong)
        assert (done.returncode, done.stderr.count("qprobe: ")) == (1, 1), done.stderr
        assert complaint in done.stderr
        with Store(run, read_only=True) as store:
            assert not store.counts()["vectors"], "nothing was read before the complaint"
    done = qprobe("win-rate", str(run), "--probe", str(probe), "--rewards", str(rewards), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["samples"] == 2
    best = next(row for row in result["rows"] if row["name"] == BEST)
    assert (best["rate"], best["prompts"]) == (0.75, 3)
    chosen = written(tmp_path, [(f"p{n}", 0, 0.5) for n in range(3)], "chosen.jsonl")
    against = ("--rewards", str(rewards), "--chosen-rewards", str(chosen), "--pairs", str(pairs))
    done = qprobe(*call, *against, "--json")
    assert done.returncode == 0, done.stderr
    beaten = {row["name"]: row["rate"] for row in json.loads(done.stdout)["rows"] if row["other"] == CHOSEN}
    assert (beaten["base"], beaten[BEST]) == (0.5, 1.0)
    done = qprobe("win-rate", str(run), "--probe", str(probe))
    assert (done.returncode, done.stderr) == (1, "qprobe: Give either --judge MODEL or --rewards FILE.\n")
    asking = ("--pairs", str(pairs), "--judge", "openai:m,url=http://127.0.0.1:9/v1", "--dry-run")
    done = qprobe("win-rate", str(run), "--probe", str(probe), *asking)
    assert done.returncode == 0, done.stderr
    assert "The judge is asked" in done.stderr
