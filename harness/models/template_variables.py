"""Variables of chat templates as text, `NAME=VALUE`: a value that is JSON (false, 3) is read as such."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import QprobeError

OPTION = "--chat-template-kwargs"


def read_variables(texts: Iterable[str]) -> dict[str, Any]:
    """Return the variables by name. Raises QprobeError for a text that is no NAME=VALUE, and for a name given twice."""
    variables: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise QprobeError(f"{OPTION} takes NAME=VALUE, such as enable_thinking=false, not {text!r}.")
        if name in variables:
            raise QprobeError(f"{OPTION} gives {name} twice: leave one out.")
        variables[name] = _value(value)
    return variables


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except ValueError:
        return text


def write_variables(variables: Mapping[str, Any]) -> list[str] | None:
    """Return texts that `read_variables` reads back; None without variables."""
    return [f"{name}={_text(value)}" for name, value in variables.items()] or None


def _text(value: object) -> str:
    return value if isinstance(value, str) and _value(value) == value else json.dumps(value)
