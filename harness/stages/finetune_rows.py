"""The rows that each method of fine-tuning learns from, made of the samples of training problems alone."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import Problem
from harness.errors import QprobeError
from harness.finetuning.rows import LabelledRow, PairRow, TrainingRow
from harness.models.hf.embedder import HfEmbedder
from harness.runs.completion import Completion
from harness.runs.store import Store
from harness.runs.training_problems import training_samples
from harness.stages.embed import as_text


@dataclass(frozen=True, slots=True)
class RowLimits:
    """The samples that become rows."""

    per_problem: int  # different ones, of each kind
    max_tokens: int


class SampleTokens:
    """Turns samples into tokens as the trained model reads them."""

    def __init__(self, spec: str, device: str) -> None:
        self._reader = HfEmbedder(spec, pooling="after-stop", device=device)
        if not self._reader.causal:
            raise QprobeError(f"{spec} is an encoder: choose a causal model to fine-tune.")

    def row(
        self, problem: Problem, completion: Completion, reward: float, stops: Sequence[str], *, ended: bool
    ) -> TrainingRow:
        """Return a completion as a row: up to the end of its program, or with what ends it too if `ended`."""
        tokens = self._reader.tokenise(as_text(completion, stops))
        ids = tokens.ids[: tokens.stop if ended else tokens.end]
        end = self._reader.model.tokenizer.eos_token_id
        if ended and tokens.stop == tokens.end and end is not None and ids[-1] != end:
            ids = [*ids, end]
        return TrainingRow(problem.id, tuple(ids), tokens.start, reward)


RowMaker = Callable[[Store, Sequence[Problem], SampleTokens, RowLimits], list[Any]]


def successes(store: Store, problems: Sequence[Problem], tokens: SampleTokens, limits: RowLimits) -> list[TrainingRow]:
    """Return different samples that pass, with the stop string or end token that ends them."""
    return _rows(store, problems, tokens, limits, kinds=(1.0,), ended=True)


def labelled(store: Store, problems: Sequence[Problem], tokens: SampleTokens, limits: RowLimits) -> list[TrainingRow]:
    """Return different samples that pass, and different ones that fail, as they are scored: without what ends them."""
    return _rows(store, problems, tokens, limits, kinds=(0.0, 1.0), ended=False)


def preferred(store: Store, problems: Sequence[Problem], tokens: SampleTokens, limits: RowLimits) -> list[PairRow]:
    """Return pairs of different samples of a problem, one that passes and one that fails, with what ends them."""
    sides: dict[str, dict[float, list[TrainingRow]]] = {problem.id: {1.0: [], 0.0: []} for problem in problems}
    for row in _rows(store, problems, tokens, limits, kinds=(0.0, 1.0), ended=True):
        sides[row.problem_id][row.reward].append(row)
    pairs = [
        PairRow(problem_id, chosen, rejected)
        for problem_id, own in sides.items()
        for chosen, rejected in zip(own[1.0], own[0.0], strict=False)
    ]
    if not pairs:
        raise QprobeError(
            f"None of the {len(problems)} training problems has a sample that passes and another that fails: draw more "
            "samples per problem, or raise --max-tokens."
        )
    return pairs


def wanted_or_not(
    store: Store, problems: Sequence[Problem], tokens: SampleTokens, limits: RowLimits
) -> list[LabelledRow]:
    """Return different samples that pass, and different ones that fail, with what ends them."""
    return [LabelledRow(row) for row in _rows(store, problems, tokens, limits, kinds=(0.0, 1.0), ended=True)]


ROWS: dict[str, RowMaker] = {"sft": successes, "dpo": preferred, "kto": wanted_or_not, "reward": labelled}
"""Method -> the function that makes its rows."""


def _rows(
    store: Store,
    problems: Sequence[Problem],
    tokens: SampleTokens,
    limits: RowLimits,
    *,
    kinds: Sequence[float],
    ended: bool,
) -> list[TrainingRow]:
    stop, rows = store.about.stop, []
    held: defaultdict[tuple[str, float], set[tuple[int, ...]]] = defaultdict(set)
    for problem, completion, reward in training_samples(store, problems):
        known = held[problem.id, reward]
        if reward not in kinds or len(known) >= limits.per_problem:
            continue
        row = tokens.row(problem, completion, reward, problem.stop if stop is None else stop, ended=ended)
        if 0 < row.start < len(row.ids) <= limits.max_tokens and row.ids not in known:
            known.add(row.ids)
            rows.append(row)
    if missing := set(kinds) - {row.reward for row in rows}:
        verb = "passes" if 1.0 in missing else "fails"
        raise QprobeError(
            f"No sample of the {len(problems)} training problems {verb}: draw more samples per problem, or of more "
            "problems, or raise --max-tokens."
        )
    return rows


def digest(rows: Sequence[Any]) -> str:
    """Return a sha256 of rows."""
    return hashlib.sha256(json.dumps([asdict(row) for row in rows]).encode()).hexdigest()
