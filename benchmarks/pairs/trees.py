"""OpenAssistant's trees of messages as pairs: of two ranked replies to one message, the better-ranked is chosen.

A row is a whole tree (`message_tree_id` and `prompt` with nested `replies`), or one message of a flat table
(`message_id`, `parent_id`), as the hub has it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from benchmarks.pairs.pair import ASSISTANT, HUMAN, Pair
from benchmarks.pairs.rows import Made, Row, text
from benchmarks.problem import BenchmarkError

Message = dict[str, Any]
MOST_REPLIES = 10**9
"""No rank is higher."""
ROLES = {"prompter": HUMAN, "assistant": ASSISTANT}


def tree_pairs(source: str, rows: Sequence[Row]) -> Made:
    """Return every pair of ranked assistant replies to the same message; replies without a rank give none.

    Raises BenchmarkError for a message without text or with another role.
    """
    made = Made(source)
    for place, split, root in _trees(source, rows):
        try:
            _add_below(made, place, split, root, "")
        except (ValueError, KeyError) as error:
            why = f"the field {error} is missing" if isinstance(error, KeyError) else error
            raise BenchmarkError(f"{source}, {place}: {why}.") from error
        except RecursionError as error:
            raise BenchmarkError(f"{source}, {place}: its replies are nested too deeply.") from error
    return made.whole()


def _trees(source: str, rows: Sequence[Row]) -> Iterator[tuple[str, str, Message]]:
    """Yield place, split and first message of each tree."""
    flat = [row for row in rows if "parent_id" in row.values and "prompt" not in row.values]
    for row in rows:
        if isinstance(row.values.get("prompt"), dict):
            yield row.place, row.split, row.values["prompt"]
        elif "parent_id" not in row.values:
            raise BenchmarkError(f"{source}, {row.place}: neither a tree with a prompt nor a message with a parent_id.")
    children = _children(source, flat)
    for row in flat:
        if row.values["parent_id"] is None:
            try:
                yield row.place, row.split, _nested(row.values, children)
            except RecursionError as error:
                raise BenchmarkError(f"{source}, {row.place}: its replies are nested too deeply.") from error


def _children(source: str, flat: Sequence[Row]) -> Mapping[str | None, Sequence[Message]]:
    """Return the messages of a flat table by their parent's id. With unique ids no message is its own ancestor."""
    children: dict[str | None, list[Message]] = defaultdict(list)
    places: dict[str, str] = {}
    for row in flat:
        name, parent = row.values.get("message_id"), row.values["parent_id"]
        if not isinstance(name, str) or not isinstance(parent, str | None):
            raise BenchmarkError(f"{source}, {row.place}: message_id or parent_id is missing or no string.")
        if name in places:
            raise BenchmarkError(f"{source}, {row.place}: the message_id {name!r} is the one of {places[name]}.")
        places[name] = row.place
        children[parent].append(row.values)
    return children


def _nested(message: Message, children: Mapping[str | None, Sequence[Message]]) -> Message:
    below = [_nested(child, children) for child in children.get(message["message_id"], ())]
    return {**message, "replies": below}


def _add_below(made: Made, place: str, split: str, message: Message, before: str) -> None:
    """Add the pairs of replies to a message and to every message below it."""
    if (role := text(message["role"])) not in ROLES:
        raise ValueError(f"unknown role {role!r}; choose from {', '.join(ROLES)}")
    thread = f"{before}{ROLES[role]} {text(message['text'])}"
    replies = [reply for reply in _replies(message) if not reply.get("deleted")]
    ranked = [reply for reply in replies if reply["role"] == "assistant" and _is_rank(reply.get("rank"))]
    for one, other in combinations(sorted(ranked, key=lambda reply: float(reply["rank"])), 2):
        if one["rank"] < other["rank"]:
            made.add(place, partial(_pair, thread + ASSISTANT, split, message, one, other))
    for reply in replies:
        _add_below(made, place, split, reply, thread)


def _replies(message: Message) -> Sequence[Message]:
    replies = message.get("replies") or ()
    if not isinstance(replies, list | tuple) or not all(isinstance(reply, dict) for reply in replies):
        raise ValueError("the field 'replies' is not a list of messages")
    return replies


def _is_rank(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < MOST_REPLIES  # neither NaN nor an endless integer


def _pair(prompt: str, split: str, message: Message, one: Message, other: Message) -> Pair:
    name = f"{message.get('message_id', '')}/{one['rank']:g}-{other['rank']:g}"
    return Pair(name, prompt, f" {text(one['text'])}", f" {text(other['text'])}", split)
