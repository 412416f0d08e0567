"""The card of an adapter: what it was trained on and how, as JSON beside its weights."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import Problem
from benchmarks.pairs.pair import PAIRS
from harness.runs.json_card import read_json_card, save_json_card

FILE = "qprobe_card.json"
SCHEMA = "qprobe-adapter/1"


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """The origin of an adapter."""

    method: str  # of fine-tuning
    key: str  # a digest of the data, the model and the settings
    model: str  # as the user named it
    fingerprint: str  # of the model's weights
    benchmark: str
    splits: tuple[str, ...]
    problems: tuple[str, ...]  # those that it was trained on
    rows: int
    tokens: int  # of all rows, prompts included
    data_sha256: str  # of the rows
    settings: Mapping[str, Any]  # of LoRA and of the steps
    parameters: int  # trained
    steps: int
    losses: tuple[float, ...]  # of every step
    prompts: tuple[str, ...] = ()  # digests of the problems' prompts; () on cards of earlier versions

    @property
    def epoch_losses(self) -> list[float]:
        """The mean loss of each epoch's steps."""
        epochs = int(self.settings["epochs"])
        size = len(self.losses) // epochs
        return [fmean(self.losses[epoch * size : (epoch + 1) * size]) for epoch in range(epochs)]

    def save(self, folder: Path) -> None:
        """Write the card. Raises QprobeError where that fails."""
        save_json_card(folder / FILE, SCHEMA, asdict(self))


def read_card(folder: Path) -> AdapterCard | None:
    """Return an adapter's card; None for one that qprobe did not make. Raises QprobeError for a damaged card."""
    return read_json_card(folder / FILE, SCHEMA, _card_of, "train the adapter again")


def _card_of(values: Mapping[str, Any]) -> AdapterCard:
    values = {"prompts": [], **values}
    lists = {"splits", "problems", "losses", "prompts"}
    names = [entry.name for entry in fields(AdapterCard)]
    given: dict[str, Any] = {name: tuple(values[name]) if name in lists else values[name] for name in names}
    return AdapterCard(**given)


def prompt_digest(prompt: str) -> str:
    """Return a digest of a prompt's words: prompts that differ in blanks alone have the same one."""
    return hashlib.sha256(" ".join(prompt.split()).encode()).hexdigest()[:16]


def learnt(card: AdapterCard, problems: Iterable[Problem]) -> list[str]:
    """Return the ids of the problems that an adapter was trained on, by their prompts or their ids.

    The ids of pairs, which number the rows of any file, say nothing.
    """
    prompts = frozenset(card.prompts)
    ids = frozenset[str]() if card.benchmark.startswith(PAIRS) else frozenset(card.problems)
    return [problem.id for problem in problems if problem.id in ids or prompt_digest(problem.prompt) in prompts]


def trained_problems(models: Sequence[str], problems: Sequence[Problem]) -> dict[str, Path]:
    """Return which of the problems the adapters of some models were trained on, with the adapter's folder.

    A model is written `SCHEME:NAME[,adapter=FOLDER]`.
    """
    from harness.models.registry import ENGINES
    from harness.models.spec import in_home, parse_spec

    found: dict[str, Path] = {}
    for model in filter(None, models):
        adapter = parse_spec(model, tuple(ENGINES)).options.get("adapter")
        card = read_card(Path(in_home(adapter))) if adapter else None
        found |= dict.fromkeys(learnt(card, problems) if card else (), Path(adapter or ""))
    return found


def trained_warning(models: Sequence[str], problems: Sequence[Problem]) -> str:
    """Return a warning where the adapters of some models were trained on some of these problems; "" otherwise."""
    if not (known := trained_problems(models, problems)):
        return ""
    return (
        f"{next(iter(known.values()))} was trained on {len(known):,} of these {len(problems):,} problems: figures of "
        "them say nothing about other problems."
    )
