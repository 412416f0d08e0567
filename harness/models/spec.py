"""Names of models: `SCHEME:NAME[,key=value,...]`, such as `hf:Qwen/Qwen2.5-Coder-1.5B,dtype=bfloat16`."""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from harness.errors import QprobeError

T = TypeVar("T")

EXAMPLES = "hf:FOLDER, hf:HUB_ID, openai:MODEL,url=http://localhost:8000/v1 or vllm:HUB_ID"


@dataclass(frozen=True, slots=True)
class Spec:
    """The parts of a model's name."""

    scheme: str
    name: str
    options: dict[str, str] = field(default_factory=dict)

    def check_options(self, choices: Sequence[str]) -> None:
        """Raise QprobeError for an option that is not one of `choices`."""
        for key in self.options:
            if key not in choices:
                near = difflib.get_close_matches(key, choices, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise QprobeError(f"Unknown option {key!r} of {self.scheme}. Choose from {', '.join(choices)}.{hint}")

    def one_of(self, key: str, meanings: dict[str, T], default: T) -> T:
        """Return the meaning of an option that takes one of a few words. Raises QprobeError for another."""
        word = self.options.get(key)
        if word is None:
            return default
        if word not in meanings:
            raise QprobeError(f"Unknown value {key}={word}. Choose from {', '.join(meanings)}.")
        return meanings[word]

    def flag(self, key: str) -> bool:
        """Return an option that is true or false; false by default."""
        return self.one_of(key, {"true": True, "false": False}, default=False)

    def day(self, key: str, default: date) -> date:
        """Return the value of an option that is a date. Raises QprobeError for anything else."""
        word = self.options.get(key, default.isoformat())
        try:
            return date.fromisoformat(word)
        except ValueError as error:
            raise QprobeError(f"{key}={word} is not a date: write it like {key}={default.isoformat()}.") from error

    def number(self, key: str, default: int, most: int) -> int:
        """Return an option that is a whole number from 1 to `most`. Raises QprobeError for anything else."""
        word = self.options.get(key, str(default))
        if not word.isdecimal() or not 1 <= int(word) <= most:
            raise QprobeError(f"{key}={word} is out of range: {key} is a whole number from 1 to {most}.")
        return int(word)


def parse_spec(text: str, schemes: Sequence[str] = ("hf",)) -> Spec:
    """Return the parts of a model's name. Raises QprobeError without a name, and for a scheme not among `schemes`.

    A value extends to the next `,key=`, so that names and values may hold commas.
    """
    scheme, colon, rest = text.partition(":")
    name, *pairs = re.split(r",(?=[a-z_]+=)", rest)
    if not colon or not name or "=" in name.partition("/")[0]:
        raise QprobeError(f"{text!r} is not the name of a model: write {EXAMPLES}.")
    if scheme not in schemes:
        near = difflib.get_close_matches(scheme, schemes, n=1, cutoff=0.7)
        hint = f" Did you mean {near[0]}:{name}?" if near else ""
        raise QprobeError(f"Unknown scheme {scheme!r} in {text!r}. Choose from {', '.join(schemes)}.{hint}")
    return Spec(scheme, name, dict(pair.split("=", 1) for pair in pairs))


def in_home(name: str) -> str:
    """Return a name with a leading ~ or ~USER replaced by the home folder: no shell does that behind a colon."""
    return os.path.expanduser(name)  # noqa: PTH111 - a hub id is no path, and Path fails without a home folder
