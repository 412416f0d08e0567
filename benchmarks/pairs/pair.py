"""A pair of replies, the text form of dialogues, and the protocol of a pair set."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.data_files import dump_json

HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
"""The beginnings of turns, those of Anthropic's HH data. Every set's dialogues become this text."""

PAIRS = "pairs:"
"""The beginning of the name of a benchmark whose problems are pairs of replies, or their prompts."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replies to one prompt: prompt + reply is the text that a model reads."""

    id: str  # unique within the set
    prompt: str  # for a dialogue, it ends with "\n\nAssistant:"
    chosen: str
    rejected: str
    split: str = "train"


class PairSet(Protocol):
    """A named set of pairs."""

    @property
    def name(self) -> str:
        """The name of the set."""
        ...

    @property
    def licence(self) -> str:
        """The licence of the data."""
        ...

    @property
    def left_out(self) -> Sequence[str]:
        """The rows that give no pair although nothing is wrong with the file, each its place and the reason."""
        ...

    def pairs(self) -> Sequence[Pair]:
        """Return all pairs in the order of the data. Raises BenchmarkError where they cannot be had or read."""
        ...

    def fetch(self) -> Path | None:
        """Cache the data on this machine and return its path; None where it is here already."""
        ...


class NoPairError(ValueError):
    """A row that is in order but gives no pair; the message is a clause."""


def dialogue(messages: Sequence[Mapping[str, object]]) -> str:
    """Return the text of a dialogue up to the beginning of the assistant's next turn.

    Raises ValueError for anything but messages with a role of user, system or assistant and a text as content.
    """
    parts = []
    for message in messages:
        role, content = message_of(message)
        parts.append(f"{ASSISTANT if role == 'assistant' else HUMAN} {content}" if role != "system" else content)
    return "".join(parts) + ASSISTANT


def message_of(message: object) -> tuple[str, str]:
    """Return the role and the text of a message. Raises ValueError for anything else."""
    if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
        raise ValueError("a message is not an object with role and content")
    role, content = message["role"], message["content"]
    if role not in ("user", "system", "assistant"):
        raise ValueError(f"unknown role {role!r}; choose from user, system, assistant")
    if not isinstance(content, str):
        raise ValueError("the content of a message is not a string")
    return role, content


def pairs_digest(pairs: Sequence[Pair]) -> str:
    """Return a sha256 over all fields of all pairs."""
    return hashlib.sha256(dump_json([astuple(pair) for pair in pairs]).encode()).hexdigest()
