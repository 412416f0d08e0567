"""The origin of a run's figures for its page: dates, commands, versions and settings, from the run's provenance."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.reports.render.numbers import model_text
from harness.runs.provenance import stages

Entry = tuple[str, str]
"""A name and its value."""

TITLES = {
    "import": "Imported samples",
    "generate": "Sampling",
    "grade": "Grading",
    "embed": "Hidden states",
    "probe": "Probes",
}
"""Stage -> the title of its settings."""


def origin(run: Path) -> list[Entry]:
    """Return the origin of a run's figures, as far as its folder holds it."""
    entries = stages(run)
    if not entries:
        return []
    last = entries[-1]
    return [
        entry
        for entry in (
            ("Date", _period([str(entry.get("ended", "")) for entry in entries])),
            ("Command", "\n".join(dict.fromkeys(entry["command"] for entry in entries if entry.get("command")))),
            *_settings(entries),
            ("Commit", _commit(str(last.get("versions", {}).get("commit", "")))),
            ("Versions", _listed(last.get("versions", {}), without=("commit",))),
            ("Machine", _listed(last.get("hardware", {}))),
        )
        if entry[1]
    ]


def _period(times: list[str]) -> str:
    """Return the first and the last time, in minutes."""
    shown = [time[:16].replace("T", " ") for time in times if time]
    if not shown:
        return ""
    return f"{shown[0]} UTC" if shown[0] == shown[-1] else f"{shown[0]} to {shown[-1]} UTC"


def _commit(text: str) -> str:
    return f"{text[:-1]} with local changes" if text.endswith("+") else text


def _settings(entries: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return the settings of each stage's last run."""
    last = {entry["stage"]: entry.get("settings", {}) for entry in entries}
    return [(title, _listed(last[stage])) for stage, title in TITLES.items() if stage in last]


def _listed(values: Mapping[str, Any], without: Iterable[str] = ()) -> str:
    """Return names and values in one line; those that are not set are left out."""
    given = {name: value for name, value in values.items() if name not in without and _is_set(value)}
    return ", ".join(f"{name.replace('_', ' ')} {_text(value)}" for name, value in given.items())


def _is_set(value: object) -> bool:
    return value is not None and value is not False and value not in ("", [])


def _text(value: object) -> str:
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return "yes" if value is True else model_text(str(value))
