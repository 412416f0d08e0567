"""The fields of a request that a server takes: those that it refuses are renamed or left out from then on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import QprobeError

RENAMED = {"max_tokens": "max_completion_tokens"}
"""Fields that newer models take by another name."""

DROPPABLE = ("logprobs", "seed", "n", "stop")
"""Fields that can be left out: a completion is cut at its stop strings later in any case."""

DEFAULTS = {"temperature": 1.0, "top_p": 1.0}
"""Fields that can be left out where they say what the server does without them, and their values there."""

SKIP_SPECIAL = "skip_special_tokens"
"""A field of vLLM and SGLang, which other servers may refuse."""

OWN = ("top_k", "min_p", "repetition_penalty", "chat_template_kwargs")
"""Options of sampling that OpenAI's protocol lacks, as vLLM and SGLang name them. None is left out when refused."""

EXTRA = (SKIP_SPECIAL, *OWN, *RENAMED.values())
"""Fields that the client's `create` has no argument for, in every release or for every kind of request."""

REFUSAL = re.compile(
    r"support|unknown|unrecogni|unexpected|allow|permit|invalid|extra|argument|parameter|field|forbid|property|deprecat",
    re.IGNORECASE,
)
UNKNOWN = re.compile(r"unsupported|not supported|unknown|unrecogni|unexpected|not permitted|extra", re.IGNORECASE)
MOST = re.compile(r"(?:maximum|at most|up to|length|limit|fewer than)\D{0,20}(\d+)", re.IGNORECASE)
USUAL_STOPS = 4
"""The number of stop strings that OpenAI takes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's complaint about a request."""

    message: str
    param: str = ""

    def names(self, field: str) -> bool:
        """Return whether the complaint is about a field."""
        if self.param.rpartition(".")[2] == field:
            return True
        if re.search(rf"""['"`]{field}['"`]""", self.message):
            return True
        plain = len(field) > 1 and re.search(rf"(?<![\w-]){field}(?![\w-])", self.message)
        return bool(plain and REFUSAL.search(self.message))


class Dialect:
    """The options that one server has refused so far."""

    def __init__(self) -> None:
        self._left_out: set[str] = set()
        self._names: dict[str, str] = {}
        self._most_stops: int | None = None

    def written(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request as the server takes it, as arguments of the client's `create`."""
        kept = {self._names.get(name, name): value for name, value in body.items() if name not in self._left_out}
        if "stop" in kept and self._most_stops is not None:
            kept["stop"] = kept["stop"][: self._most_stops]
        extra = {name: kept.pop(name) for name in EXTRA if name in kept}
        return {**kept, "extra_body": extra} if extra else kept

    def learn(self, sent: Mapping[str, Any], refusal: Refusal) -> None:
        """Note the field that was refused, if it can be done without. Raises QprobeError for one that cannot."""
        stops, extra = len(sent.get("stop") or ()), sent.get("extra_body", {})
        for old, new in RENAMED.items():
            if old in sent and (new in refusal.message or (refusal.names(old) and UNKNOWN.search(refusal.message))):
                self._names[old] = new
                return
        if stops and refusal.names("stop") and (most := _most_stops(refusal.message, stops)):
            self._most_stops = most
            return
        for field in DROPPABLE:
            if field in sent and refusal.names(field):
                self._left_out.add(field)
                return
        for field, default in DEFAULTS.items():
            if field in sent and refusal.names(field):
                if sent[field] != default:
                    raise QprobeError(_own_sampling(field, sent[field]))
                self._left_out.add(field)
                return
        for field in OWN:
            if field in extra and refusal.names(field):
                raise QprobeError(f"refuses {field}: leave out --{field.replace('_', '-')}, or use another server")
        self._left_out |= {SKIP_SPECIAL} & extra.keys()


def _most_stops(message: str, count: int) -> int | None:
    """Return the number of stop strings that a server takes, if that is what it complains about."""
    stated = MOST.search(message)
    most = int(stated[1]) if stated else USUAL_STOPS
    return most if 1 <= most < count else None


def _own_sampling(field: str, value: float) -> str:
    greedy = " and leave out --greedy" if field == "temperature" and value == 0 else ""
    return f"refuses {field}={value:g}: give --temperature 1 --top-p 1{greedy}"
