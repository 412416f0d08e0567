"""The card beside a file of scores: the model that gave them, and what they cost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from harness.runs.json_card import read_json_card, save_json_card

SCHEMA = "qprobe-scores/1"


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """The origin of scores."""

    method: str  # prompted | classifier
    model: str  # as the user named it
    identity: Mapping[str, Any]  # everything that a score depends on besides its sample
    parameters: int
    labels: int | None  # labelled samples that the model learnt from; None where that is not known
    forward_passes: int  # per sample

    def __str__(self) -> str:
        labels = "an unknown number of" if self.labels is None else f"{self.labels:,}"
        passes = f"{self.forward_passes} forward pass per sample"
        return f"{self.method}, {self.model}: {self.parameters:,} parameters, {labels} labels, {passes}"

    def save(self, scores: Path) -> None:
        """Write the card of a file of scores."""
        save_json_card(card_path(scores), SCHEMA, asdict(self))


def card_path(scores: Path) -> Path:
    """Return the path of the card of a file of scores."""
    return scores.with_name(f"{scores.name}.card.json")


def read_score_card(scores: Path) -> ScoreCard | None:
    """Return the card of a file of scores; None for one from elsewhere. Raises QprobeError for a damaged card."""
    return read_json_card(card_path(scores), SCHEMA, _card_of, "remove it and the scores, and score again")


def _card_of(values: Mapping[str, Any]) -> ScoreCard:
    return ScoreCard(**{entry.name: values[entry.name] for entry in fields(ScoreCard)})
