"""Rows of pair sets as pairs: one function per layout, each from all rows of a set, with their splits, to pairs.

plain   {"prompt", "chosen", "rejected"}: texts, or lists of messages as in trl's conversational format
hh      {"chosen", "rejected"}: whole transcripts; the prompt is all up to the last "\\n\\nAssistant:"
shp     {"history", "human_ref_A", "human_ref_B", "labels", "score_ratio"}: Stanford Human Preferences
oasst   trees of messages, whole or flat: see `benchmarks.pairs.trees`
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.data_files import ReaderLimitError, check_well_formed
from benchmarks.hub import JsonRow
from benchmarks.pairs.pair import ASSISTANT, HUMAN, NoPairError, Pair, dialogue, message_of
from benchmarks.problem import BenchmarkError

MIN_SCORE_RATIO = 2.0
"""The least ratio of the votes of two comments in SHP: below it a preference is weak. The data's authors' advice."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row, its split, and its place for messages."""

    place: str
    split: str
    number: int  # within the split, from 1
    values: JsonRow


@dataclass(slots=True)
class Made:
    """The pairs made of rows, and the rows that gave none."""

    source: str
    pairs: list[Pair] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    _places: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, make: Callable[[], Pair]) -> None:
        """Add a pair. Raises BenchmarkError, naming the place, for a row that cannot be read or a repeated id."""
        try:
            pair = make()
        except NoPairError as reason:
            self.left_out.append(f"{place}: {reason}")
            return
        except ReaderLimitError as error:
            self.left_out.append(f"{place}: {error}")
            return
        except ValueError as error:
            raise BenchmarkError(f"{self.source}, {place}: {error}.") from error
        if pair.id in self._places:
            raise BenchmarkError(
                f"{self.source}, {place}: the id {pair.id!r} is the one of {self._places[pair.id]}; ids must be unique."
            )
        self._places[pair.id] = place
        self.pairs.append(pair)

    def whole(self) -> "Made":
        """Return the same. Raises BenchmarkError where no row gave a pair."""
        if not self.pairs:
            why = f": the first of {len(self.left_out)} rows, {self.left_out[0]}" if self.left_out else ""
            raise BenchmarkError(f"{self.source} holds no pair{why}.")
        return self


def from_rows(source: str, rows: Iterable[Row], make: Callable[[Row], Pair]) -> Made:
    """Return the pairs of rows that are pairs each. Raises BenchmarkError for a wrong one."""
    made = Made(source)
    for row in rows:
        made.add(row.place, partial(make, row))
    return made.whole()


def plain_pair(row: Row) -> Pair:
    """Return the pair of a row with two replies. Raises ValueError, and NoPairError without a common prompt."""
    values = row.values
    if missing := [name for name in ("chosen", "rejected") if name not in values]:
        raise ValueError(f"the field {missing[0]!r} is missing")
    replies = values["chosen"], values["rejected"]
    if all(isinstance(reply, list) for reply in replies):
        (context, chosen), (other, rejected) = (_last_turn(values.get("prompt"), reply) for reply in replies)
        if context != other:
            raise NoPairError("the two dialogues do not share a prompt")
        return _checked(row, context, chosen, rejected)
    if "prompt" not in values:
        return transcript_pair(row)
    if isinstance(values["prompt"], list):
        return _checked(row, dialogue(values["prompt"]), *(f" {text(reply)}" for reply in replies))
    return _checked(row, values["prompt"], *replies)


def _last_turn(prompt: object, messages: Sequence[Any]) -> tuple[str, str]:
    """The text before an assistant's last message, and that message."""
    if not messages or message_of(messages[-1])[0] != "assistant":
        raise ValueError("a reply does not end with a message of the assistant")
    before: list[Any] = list(messages[:-1])
    if isinstance(prompt, list):
        before = [*prompt, *before]
    elif not before and isinstance(prompt, str):
        before = [{"role": "user", "content": prompt}]
    return dialogue(before), f" {message_of(messages[-1])[1]}"


def transcript_pair(row: Row) -> Pair:
    """Return the pair of two whole transcripts. Raises NoPairError where they differ before their last turn."""
    sides = []
    for name in ("chosen", "rejected"):
        if not isinstance(whole := row.values.get(name), str):
            raise ValueError(f"the field {name!r} is missing or not a string")
        prompt, turn, reply = whole.rpartition(ASSISTANT)
        if not turn:
            raise ValueError(f"the field {name!r} has no turn of the assistant; give the field 'prompt' as well")
        sides.append((prompt + turn, reply))
    (prompt, chosen), (other, rejected) = sides
    if prompt != other:
        raise NoPairError("the two transcripts do not share a prompt")
    return _checked(row, prompt, chosen, rejected)


def shp_pair(row: Row, min_ratio: float = MIN_SCORE_RATIO) -> Pair:
    """Return the pair of two comments on a post. Raises NoPairError where their votes are too close."""
    values = row.values
    needed = ("history", "human_ref_A", "human_ref_B", "labels")
    if missing := [name for name in needed if name not in values]:
        raise ValueError(f"the field {missing[0]!r} is missing")
    ratio = score_ratio(values)
    if ratio < min_ratio:
        raise NoPairError(f"its score ratio {ratio:g} is below {min_ratio:g}")
    if values["labels"] not in (0, 1):
        raise ValueError(f"the field 'labels' is {values['labels']!r}: write 1 where A is preferred, 0 where B is")
    first, second = (f" {text(values[name])}" for name in ("human_ref_A", "human_ref_B"))
    chosen, rejected = (first, second) if values["labels"] == 1 else (second, first)
    return _checked(row, f"{HUMAN} {text(values['history'])}{ASSISTANT}", chosen, rejected)


def score_ratio(values: JsonRow) -> float:
    """Return the ratio of the higher score to the lower one, as SHP gives it or by its scores."""
    given = values.get("score_ratio")
    if isinstance(given, int | float):
        return _as_float(given)
    scores = [values.get(name) for name in ("score_A", "score_B")]
    if not all(isinstance(score, int | float) for score in scores):
        raise ValueError("the field 'score_ratio' is missing or not a number")
    low, high = sorted(map(_as_float, scores))  # type: ignore[arg-type] # both are numbers
    return high / low if low > 0 else float("inf")


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError as error:  # JSON has integers of any length
        raise ValueError("a score is too large") from error


def text(value: object) -> str:
    """Return a text. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"a text is {type(value).__name__}, not a string")
    return value


def _checked(row: Row, prompt: object, chosen: object, rejected: object) -> Pair:
    """The pair of three texts that can be stored. Raises ValueError for any other fields."""
    texts = []
    for name, value in (("prompt", prompt), ("chosen", chosen), ("rejected", rejected)):
        if not isinstance(value, str):
            raise ValueError(f"the field {name!r} is not a string or a list of messages like the others")
        check_well_formed(name, value)
        texts.append(value)
    if not texts[0].strip():
        raise ValueError("the field 'prompt' is empty")
    identifier = row.values.get("id")
    name = str(identifier) if isinstance(identifier, str | int) else f"{row.split}/{row.number}"
    return Pair(name, texts[0], texts[1], texts[2], row.split)


def layout_of(values: JsonRow) -> str:
    """Return the layout that a set's first row shows."""
    if "human_ref_A" in values:
        return "shp"
    if "message_tree_id" in values:
        return "oasst"
    return "plain"
