"""Compute the rows of a reproduction on preferences again from its stored files, with none of the harness's statistics.

    python -m scripts.recompute_preferences results/paper

It reads `preferences.json`, the runs' SQLite files, vectors and probes, and the rewards or the judge's answers, and
prints each figure of the table beside its own. Exit status 1 if two differ.
"""

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any

from safetensors import safe_open

from benchmarks.pairs import open_pairs
from harness.rewards.judge import PROMPT, VERSION, open_judge, parse_answer
from scripts.recompute_paper import compare, open_run, rewards, scores_of, vectors_of

POLICIES = ("sft", "dpo", "kto")
OBJECTIVE = "pairwise"
UNKNOWN = float("nan")


@dataclass(frozen=True)
class Sample:
    """One reply of a policy."""

    index: int
    text: str


Replies = Mapping[str, Sequence[Sample]]
"""By prompt, in the order of their indices."""


def read_replies(run: Path) -> Replies:
    """Return the replies of a run."""
    query = "SELECT problem_id, idx, prompt, program FROM completions WHERE idx >= 0 ORDER BY problem_id, idx"
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for prompt_id, index, prompt, program in open_run(run).execute(query):
        found[prompt_id].append(Sample(index, program.removeprefix(prompt)))
    return found


def probe_scores(run: Path, probe: Path) -> dict[tuple[str, int], float]:
    """Return the score of every reply by a linear probe of one layer."""
    with safe_open(probe, framework="np") as file:
        card = json.loads(file.metadata()["card"])
        weights, offset = file.get_tensor("project"), file.get_tensor("offset")
    vectors = vectors_of(run, card["fingerprint"], card["views"][0])
    return {sample: float(vector @ weights[0, 0] + offset[0, 0]) for sample, vector in vectors.items()}


class ByRewards:
    """Wins by the rewards of replies and of the chosen replies."""

    def __init__(self, folder: Path, run: Path) -> None:
        self.rewards = scores_of(run / "scores" / "classifier.jsonl")
        chosen = scores_of(folder / "chosen-replies" / "scores" / "classifier.jsonl")
        self.chosen = {prompt_id: reward for (prompt_id, _), reward in chosen.items()}

    def win(self, prompt_id: str, sample: Sample) -> float:
        """Return 1 where the reply's reward is above that of the chosen one, one half where they are equal."""
        ours, other = self.rewards[prompt_id, sample.index], self.chosen[prompt_id]
        return 1.0 if ours > other else 0.5 if ours == other else 0.0

    def of_one(self, prompt_id: str, samples: Sequence[Sample]) -> float:
        """Return the expectation over one reply at random."""
        return fmean(self.win(prompt_id, sample) for sample in samples)

    of_best = of_one
    """Equally good ones are as likely."""

    def highest(self, prompt_id: str, samples: Sequence[Sample]) -> list[Sample]:
        """Return the replies with the highest reward."""
        best = max(self.rewards[prompt_id, sample.index] for sample in samples)
        return [sample for sample in samples if self.rewards[prompt_id, sample.index] == best]


class ByJudge:
    """Wins by the answers of a judge, which are found by the hash of what it was asked."""

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        engine = open_judge(options["judge"], folder, options["device"]).engine
        self.identity = json.dumps([VERSION, PROMPT, engine.identity], sort_keys=True, default=str)
        self.answers: defaultdict[str, list[str]] = defaultdict(list)
        for line in (folder / "judgements" / f"{VERSION}.jsonl").read_text().splitlines():
            row = json.loads(line)
            self.answers[row["key"]].append(row["answer"])
        self.pairs = {
            pair.id: pair for pair in open_pairs(next(iter(options["test_on"] or [options["train"]]))).pairs()
        }

    def answer(self, prompt: str, first: str, second: str) -> str:
        """Return the first answer that names a reply, or says tie; "" without one."""
        text = PROMPT.format(prompt=prompt.strip(), first=first.strip(), second=second.strip())
        key = hashlib.sha256(json.dumps([self.identity, text]).encode()).hexdigest()[:32]
        return next((named for named in map(parse_answer, self.answers[key]) if named), "")

    def win(self, prompt_id: str, sample: Sample) -> float:
        """Return 1 or 0 where both orders name the same reply, else one half; NaN without two answers."""
        pair = self.pairs[prompt_id]
        if sample.text == pair.chosen:
            return 0.5
        there = self.answer(pair.prompt, sample.text, pair.chosen)
        back = self.answer(pair.prompt, pair.chosen, sample.text)
        if not there or not back:
            return UNKNOWN
        return {("A", "B"): 1.0, ("B", "A"): 0.0}.get((there, back), 0.5)

    def of_one(self, prompt_id: str, samples: Sequence[Sample]) -> float:
        """Return the win of the first reply: replies are drawn alike."""
        return self.win(prompt_id, samples[0])

    def of_best(self, prompt_id: str, samples: Sequence[Sample]) -> float:
        """Return the win of the one of equally good replies that was asked about."""
        known = [win for win in (self.win(prompt_id, sample) for sample in samples) if not isnan(win)]
        return known[0] if known else UNKNOWN


class Table:
    """The rows of a reproduction's table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "preferences"
        self.made = json.loads((folder / "preferences.json").read_text())

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """The options of the command."""
        own: Mapping[str, Any] = self.made["settings"]
        return own

    def wins(self, run: Path) -> ByRewards | ByJudge:
        """Return what the replies of a run were judged by."""
        return ByJudge(self.folder, self.options) if self.options["judge"] else ByRewards(self.folder, run)

    def recomputed(self, row: str, test: str = "") -> float | None:
        """Return one figure; None for a row that this script does not know."""
        if row == "accuracy":
            return self.accuracy()
        policy = next((name for name in POLICIES if row.startswith(name)), "base")
        run = self.folder / f"{policy}-replies"
        known: dict[str, Callable[[], float]] = {
            **dict.fromkeys(("base", *POLICIES), lambda: self.of_one(run)),
            **dict.fromkeys(("probe", *(f"{name}-probe" for name in POLICIES)), lambda: self.probed(policy, run)),
            "longest": lambda: self.best(run, lambda _, sample: max(len(sample.text), 1)),
            "oracle": lambda: self.highest(run),
        }
        return known[row]() if row in known else None

    def of_one(self, run: Path) -> float:
        """Return the win rate of one reply."""
        wins = self.wins(run)
        return mean_of([wins.of_one(prompt_id, samples) for prompt_id, samples in read_replies(run).items()])

    def probed(self, policy: str, run: Path) -> float:
        """Return the win rate of the reply that the policy's probe scores highest."""
        scores = probe_scores(run, self.folder / f"{policy}-pairs" / "probes" / f"{OBJECTIVE}.safetensors")
        return self.best(run, lambda prompt_id, sample: scores[prompt_id, sample.index])

    def best(self, run: Path, score: Callable[[str, Sample], float]) -> float:
        """Return the win rate of the reply with the highest score."""
        wins, values = self.wins(run), []
        for prompt_id, samples in read_replies(run).items():
            most = max(score(prompt_id, sample) for sample in samples)
            values.append(wins.of_best(prompt_id, [one for one in samples if score(prompt_id, one) == most]))
        return mean_of(values)

    def highest(self, run: Path) -> float:
        """Return the win rate of the reply with the highest reward."""
        wins = ByRewards(self.folder, run)
        replies = read_replies(run).items()
        return mean_of([wins.of_one(prompt_id, wins.highest(prompt_id, samples)) for prompt_id, samples in replies])

    def accuracy(self) -> float:
        """Return the share of pairs whose chosen reply has the higher out-of-fold score, ties counting one half."""
        run = self.folder / "base-pairs"
        with safe_open(run / "scores.safetensors", "np") as file:
            card = json.loads(file.metadata()["card"])
            scores_SP2 = file.get_tensor("scores_SOPN")[:, card["objectives"].index(OBJECTIVE)]
            indices_P2 = file.get_tensor("indices_PN")
        verdicts, right = rewards(run), []
        for scores_P2 in scores_SP2:
            for prompt_id, indices, scores in zip(card["problem_ids"], indices_P2, scores_P2, strict=True):
                by_reward = {verdicts[prompt_id][index]: value for index, value in zip(indices, scores, strict=True)}
                right.append((1 + (by_reward[1.0] > by_reward[0.0]) - (by_reward[1.0] < by_reward[0.0])) / 2)
        return fmean(right)


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of the prompts that have a verdict."""
    return fmean(value for value in values if not isnan(value))


def main() -> None:
    """Print every figure of the table twice."""
    table = Table(Path(sys.argv[1]))
    sys.exit(bool(compare(table.made["cells"], table.recomputed)))


if __name__ == "__main__":
    main()
