"""`qprobe win-rate` with a real judge: a small transformers model, trained to judge, behind a real HTTP server."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from benchmarks.mini import MODEL
from benchmarks.pairs import Pair, open_pairs
from benchmarks.pairs.prompts import PairPrompts
from harness.models.registry import open_embedder
from harness.probes.probe import Card, Probe
from harness.rewards.judge import TRIES, VERSION, Comparison
from harness.runs.completion import Completion
from harness.runs.store import Store
from tests.command import qprobe
from tests.model_server import ModelServer, serve
from tests.tiny_models import save_llama

pytest.importorskip("openai", reason="the extra `openai` is not installed")
GOOD, BAD = " return", " xxxxx"
PROMPTS = [f"\n\nHuman: {number}?\n\nAssistant:" for number in range(10, 18)]


def asked(prompt: str, first: str, second: str) -> str:
    return Comparison(prompt, first, second).text


def save_judge(folder: Path) -> Path:
    """A Llama that answers A where reply A is good and B is bad, B the other way round, and tie for equal ones."""
    model = LlamaForCausalLM.from_pretrained(save_llama(folder, context=1024))
    words = AutoTokenizer.from_pretrained(folder)
    cases = [(GOOD, BAD, "A"), (BAD, GOOD, "B"), (GOOD, GOOD, "tie"), (BAD, BAD, "tie")]
    rows = [
        (words(asked(prompt, first, second)).input_ids, words(f"{answer}<eos>").input_ids)
        for prompt in PROMPTS[:2]
        for first, second, answer in cases
    ]
    ids = [prompt + answer for prompt, answer in rows]
    longest = max(map(len, ids))
    ids_NT = torch.tensor([[*row, *[1] * (longest - len(row))] for row in ids])
    labels_NT = torch.full_like(ids_NT, -100)
    for place, (prompt, answer) in enumerate(rows):
        labels_NT[place, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(400):
        loss = model(input_ids=ids_NT, labels=labels_NT).loss
        if float(loss.detach()) < 0.01:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_judge(tmp_path_factory.mktemp("judge"))


class Given:
    """A run whose samples are known: of each prompt's two replies, one is good. Every chosen reply is bad."""

    def __init__(self, folder: Path) -> None:
        rows = [{"id": f"p{n}", "prompt": prompt, "chosen": BAD, "rejected": ""} for n, prompt in enumerate(PROMPTS)]
        self.pairs = folder / "mine.jsonl"
        self.pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.run, self.probe = folder / "run", folder / "probe.safetensors"
        pair_set = open_pairs(str(self.pairs))
        with Store(self.run, create=True) as store:
            store.settle("benchmark", f"pairs:{pair_set.name}")
            store.add_problems(PairPrompts(pair_set).problems())
            store.add_completions(self._sample(pair, index) for pair in pair_set.pairs() for index in range(2))
        embedder = open_embedder(f"hf:{MODEL}")
        weights = {"project": torch.ones(1, 1, embedder.width), "offset": torch.zeros(1, 1)}
        fingerprint = str(embedder.identity["fingerprint"])
        where: dict[str, Any] = {"model": embedder.name, "fingerprint": fingerprint}
        Probe(Card("linear", embedder.views, embedder.width, "pairwise", 0.0, **where), weights).save(self.probe)

    @staticmethod
    def _sample(pair: Pair, index: int) -> Completion:
        reply = GOOD if index else BAD
        return Completion(pair.id, index, pair.prompt, reply, pair.prompt + reply)

    def judged(self, url: str, *more: str) -> "CompletedProcess[str]":
        spec = f"openai:tiny,url={url},retries=1,concurrency=2"
        return qprobe(
            "win-rate", str(self.run), "--probe", str(self.probe), "--pairs", str(self.pairs), "--judge", spec, *more
        )

    def answers(self) -> list[str]:
        lines = (self.run / "judgements" / f"{VERSION}.jsonl").read_text().splitlines()
        return [json.loads(line)["answer"] for line in lines]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


@pytest.fixture
def server(judge: Path) -> Iterator[ModelServer]:
    with serve(judge) as opened:
        yield opened


def table(done: "CompletedProcess[str]") -> dict[tuple[str, str], dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return {(row["name"], row["other"]): row for row in json.loads(done.stdout)["rows"]}


def test_a_model_judges_the_replies_in_both_orders(given: Given, server: ModelServer):
    """The first sample equals the chosen reply, so that it ties unasked; the other one is good."""
    dry = given.judged(server.url, "--dry-run")
    assert "The judge is asked 16 times" in dry.stderr
    assert not server.seen
    done = given.judged(server.url, "--json")
    rows, result = table(done), json.loads(done.stdout)
    assert rows["base", "the chosen reply"]["rate"] == 0.5
    assert rows["longest", "the chosen reply"]["rate"] == 1.0, "the good reply is the longer one"
    picked = rows["probe", "the chosen reply"]["rate"]
    assert picked == rows["probe", "the base sample"]["rate"]
    assert picked in (0.5, 1.0), "the probe takes the good reply of every prompt, or the bad one"
    assert {row["invalid"] for row in rows.values()} == {0}
    assert (len(server.seen), result["agreement"], result["invalid_answers"]) == (16, 1.0, 0)
    assert set(given.answers()) == {"A", "B"}
    assert table(given.judged(server.url, "--json")) == rows
    assert len(server.seen) == 16, "nothing is asked twice"


def test_faults_that_pass_are_retried_and_change_nothing(given: Given, server: ModelServer):
    server.faults.extend(["429", "500", "filter", "refusal"])
    rows = table(given.judged(server.url, "--json"))
    longest = rows["longest", "the chosen reply"]
    assert (longest["rate"], longest["prompts"], longest["invalid"]) == (1.0, 8, 0)
    answers = given.answers()
    invalid = [answer for answer in answers if answer not in ("A", "B")]
    assert len(answers) == 16 + len(invalid)
    assert "" in invalid, "a refusal without a text is an answer that names no reply"
    assert any("refuses a prompt for its content" in answer for answer in invalid)


def test_a_judge_that_writes_nonsense_never_gives_a_win(given: Given):
    """The bundled model writes programs."""
    with serve(MODEL) as server:
        done = given.judged(server.url, "--json")
        assert len(server.seen) == 16 * TRIES
        rows, result = table(done), json.loads(done.stdout)
        asked_for = [row for row in rows.values() if row["invalid"]]
        assert asked_for
        assert all((row["prompts"], row["invalid"], row["rate"]) == (0, 8, None) for row in asked_for)
        assert result["invalid_answers"] == len(given.answers()) == 16 * TRIES
        assert table(given.judged(server.url, "--json")) == rows
        assert len(server.seen) == 16 * TRIES, "it is asked a limited number of times"
        shown = given.judged(server.url)
    assert "Answers of the judge that name no reply: 48." in shown.stdout


def test_a_judge_that_always_refuses_never_gives_a_win(given: Given, server: ModelServer):
    server.faults.extend(["filter", "refusal"] * (16 * TRIES))
    rows = table(given.judged(server.url, "--json"))
    assert not any(row["rate"] for name, row in rows.items() if name[0] != "base")
    assert len(given.answers()) == 16 * TRIES


def test_a_server_that_goes_down_loses_nothing(given: Given, judge: Path):
    with serve(judge) as server:
        table(given.judged(server.url, "--limit", "3", "--json"))
        kept = given.answers()
        assert len(kept) == 6
        url = server.url
    done = given.judged(url)
    assert done.returncode == 1
    assert done.stderr.count("qprobe: ") == 1
    assert "does not answer: start it, or correct url=, and run the same command again" in done.stderr
    assert done.stdout == ""
    assert given.answers() == kept
    with serve(judge) as server:
        rows = table(given.judged(server.url, "--json"))
        assert len(server.seen) == 10
    assert given.answers()[:6] == kept
    assert rows["longest", "the chosen reply"]["rate"] == 1.0


def test_a_server_that_breaks_off_in_between_keeps_its_answers(given: Given, server: ModelServer):
    server.faults.extend([""] * 6 + ["500"] * 40)
    done = given.judged(server.url)
    assert done.returncode == 1
    assert "Run the same command again to resume" in done.stderr
    kept = given.answers()
    assert 1 <= len(kept) <= 6
    server.faults.clear()
    table(given.judged(server.url, "--json"))
    assert given.answers()[: len(kept)] == kept
    assert len(given.answers()) == 16


def test_a_pair_that_exceeds_the_judges_context_has_no_verdict(tmp_path: Path, server: ModelServer):
    given = Given(tmp_path)
    rows = [json.loads(line) for line in given.pairs.read_text().splitlines()]
    rows[0]["chosen"] = BAD * 400
    given.pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table_rows = table(given.judged(server.url, "--json"))
    against = table_rows["base", "the chosen reply"]
    assert (against["prompts"], against["invalid"]) == (7, 1)
