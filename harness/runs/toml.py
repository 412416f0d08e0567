"""Settings as TOML that reads back as it was written."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import tomli_w

from harness.errors import QprobeError


class Setting(Protocol):
    """A setting and its source."""

    @property
    def key(self) -> str:
        """The name in the file."""
        ...

    @property
    def value(self) -> Any:  # noqa: ANN401 - whatever an option holds
        """The value; None and "" mean that none is given."""
        ...

    @property
    def source(self) -> str:
        """The option, file or default that gave the value."""
        ...


def toml_text(values: Mapping[str, object]) -> str:
    """Return keys and values as TOML; None and the empty string, which mean "not given", are left out.

    Raises QprobeError for a value that TOML cannot hold.
    """
    return "".join(_lines(key, value) for key, value in values.items() if _is_given(value))


def as_toml(settings: Iterable[Setting]) -> str:
    """Return settings as a file that `run` reads, each with a comment that names its source."""
    lines = [
        (_lines(item.key, item.value).rstrip("\n") if _is_given(item.value) else f"# {item.key} =", item.source)
        for item in settings
    ]
    width = max((len(_last(text)) for text, _ in lines), default=0)
    return "".join(f"{text}{' ' * (width - len(_last(text)))}  # {_on_one_line(source)}\n" for text, source in lines)


def _is_given(value: object) -> bool:
    return value is not None and value != ""


def _lines(key: str, value: object) -> str:
    """Return one assignment. A list takes several lines."""
    try:
        text = tomli_w.dumps({key: value})
        text.encode()
    except (TypeError, ValueError) as error:  # ValueError: bytes of a path that are not UTF-8
        raise QprobeError(f"{key} cannot be {value!r} in a configuration file: TOML cannot hold it.") from error
    return text


def _last(text: str) -> str:
    return text.rpartition("\n")[2]


def _on_one_line(source: str) -> str:
    """Return the text as a TOML comment may hold it; a path may hold line breaks."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in source)
