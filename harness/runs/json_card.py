"""Cards: what a file was made of, as JSON beside it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import QprobeError
from harness.runs.atomic import atomic_write

T = TypeVar("T")


def save_json_card(path: Path, schema: str, values: Mapping[str, Any]) -> None:
    """Write a card. Raises QprobeError where that fails."""
    with atomic_write(path) as draft:
        draft.write_text(json.dumps({"schema": schema, **values}, indent=1), encoding="utf-8")


def read_json_card(path: Path, schema: str, make: Callable[[dict[str, Any]], T], remedy: str) -> T | None:
    """Return what is made of a card's values; None without a card.

    Raises QprobeError for a card of another version, and for a damaged one, with the remedy.
    """
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["schema"] != schema:
            raise QprobeError(f"{path} is of another version of qprobe: {values['schema']}, not {schema}.")
        return make(values)
    except (ValueError, KeyError, TypeError) as error:
        raise QprobeError(f"{path} is damaged ({error!r}): {remedy}.") from error
