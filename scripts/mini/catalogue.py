"""Every family of problems, read from `families/*.toml` and the parts they share, `parts.toml`.

A family's file holds its sentence, its slots and its forms. A slot's entry is a new part or a selection of
shared parts: `use = "filters"`, `names = [...]` for some of them, `variable = "d"` where the programs do not say `x`.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from scripts.mini.grammar import USUAL_REACH, Family, Form, Part

AREAS = ("strings", "lists", "arithmetic", "algorithms")

_HERE = Path(__file__).parent

Table = Mapping[str, Any]  # a table of a TOML file


@cache
def families() -> tuple[Family, ...]:
    """The families, area by area."""
    shared = {group: [_part(table) for table in tables] for group, tables in _read(_HERE / "parts.toml").items()}
    read = [_family(_read(path), shared) for path in sorted((_HERE / "families").glob("*.toml"))]
    return tuple(sorted(read, key=lambda family: AREAS.index(family.area)))


def _family(table: Table, shared: Mapping[str, list[Part]]) -> Family:
    return Family(
        name=table["name"],
        area=table["area"],
        parameters=table["parameters"],
        entry=table["entry"],
        sentences=tuple(table["sentences"]),
        forms=tuple(_form(form) for form in table["forms"]),
        slots={slot: tuple(_parts(entries, shared)) for slot, entries in table["slots"].items()},
        reach=_pair(table.get("reach")) or USUAL_REACH,
    )


def _form(table: Table) -> Form:
    return Form(**{**table, "bodies": tuple(table["bodies"])})


def _parts(entries: list[Table], shared: Mapping[str, list[Part]]) -> Iterator[Part]:
    for entry in entries:
        if "use" in entry:
            yield from _selection(shared[entry["use"]], entry.get("names"), entry.get("variable", "x"))
        else:
            yield _part(entry)


def _selection(parts: list[Part], names: list[str] | None, variable: str) -> Iterator[Part]:
    for part in parts:
        if names is None or part.name in names:
            yield replace(part, code=re.sub(r"\bx\b", variable, part.code))


def _part(table: Table) -> Part:
    return Part(**{**table, "constants": tuple(table.get("constants", ())), "reach": _pair(table.get("reach"))})


def _pair(bounds: list[int] | None) -> tuple[int, int] | None:
    return (bounds[0], bounds[1]) if bounds else None


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
