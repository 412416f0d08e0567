r"""A benchmark from any data set of the hub: a TOML file maps columns to the fields of a problem.

    dataset = "google-research-datasets/mbpp"   # or a folder in the hub's layout, relative to this file
    config = "sanitized"                        # optional, as are revision, name, licence and splits
    splits = ["test"]

    [columns]                                   # a field, and its column or a template of columns
    id = "MBPP/{task_id}"
    prompt = "# {prompt}\n# {test_list[0]}\n"
    tests = "test_list"                         # a list of strings becomes lines
    solution = "code"

    [values]                                    # fields with the same value for all problems
    stop = ["\nclass", "\nassert"]

`entry_point` is optional where there is a solution: the default is the solution's function that the tests call.
"""

import string
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.choices import unknown_clause
from benchmarks.data_files import read_text, user_path
from benchmarks.entry_points import tested_function
from benchmarks.extraction import program_of
from benchmarks.hub import HubData, JsonRow
from benchmarks.jsonl import Problems, problem_of_row
from benchmarks.problem import BenchmarkError, Problem

FIELDS = (*(field.name for field in fields(Problem)), "cases", "compare")
KEYS = {"dataset": str, "config": str, "revision": str, "name": str, "licence": str, "splits": list}
TABLES = ("columns", "values")


@dataclass(frozen=True, slots=True)
class Mapping:
    """The content of the TOML file."""

    data: HubData
    licence: str
    splits: tuple[str, ...]  # () is all of them
    columns: dict[str, str]
    values: dict[str, Any]


class MappedBenchmark:
    """The problems of a data set, read through a mapping."""

    def __init__(self, path: Path) -> None:
        self.path = path = user_path(path)
        self.mapping = read_mapping(path)
        self.name = self.mapping.data.name
        self.licence = self.mapping.licence

    def problems(self) -> Sequence[Problem]:
        """All problems. Raises BenchmarkError for a wrong row, and for an unknown split or column."""
        rows = self.mapping.data.rows()
        splits = list(dict.fromkeys(split for split, _ in rows))
        if absent := [split for split in self.mapping.splits if split not in splits]:
            raise BenchmarkError(f"{self.path}: unknown split {absent[0]!r}. Choose from {', '.join(splits)}.")
        problems, numbers = Problems(str(self.path)), dict.fromkeys(splits, 0)
        for split, row in rows:
            numbers[split] += 1
            if not self.mapping.splits or split in self.mapping.splits:
                problems.add(f"split {split}, row {numbers[split]}", partial(self._row, row, split))
        return problems.all()

    def fetch(self) -> Path | None:
        """Keep a copy of the data; None where it is a folder of this machine."""
        return None if self.mapping.data.is_local else self.mapping.data.fetch()

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string; for a whole program, the completion's code."""
        return program_of(problem, prompt, completion)

    def _row(self, row: JsonRow, split: str) -> Problem:
        filled = {name: _of(name, fill(template, row)) for name, template in self.mapping.columns.items()}
        made = {"split": split, **self.mapping.values, **filled}
        if "entry_point" not in made and "solution" in made:
            made["entry_point"] = _entry_point(str(made.get("tests")), str(made["solution"]))
        return problem_of_row(made, self.path.parent)


def _entry_point(tests: str, solution: str) -> str:
    try:
        return tested_function([tests], solution)
    except SyntaxError:
        return ""  # the check of all fields says which of the two does not compile


def read_mapping(path: Path) -> Mapping:
    """Read a mapping. Raises BenchmarkError where anything is wrong with it."""
    try:
        table = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise BenchmarkError(f"{path} is not TOML: {error}.") from error
    try:
        _check_keys("", table, (*KEYS, *TABLES))
        for name in TABLES:
            _check_keys(f" in [{name}]", table.get(name, {}), FIELDS)
        return _mapping(path, table)
    except ValueError as error:
        raise BenchmarkError(f"{path}: {error}.") from error


def _mapping(path: Path, table: dict[str, Any]) -> Mapping:
    for key, kind in KEYS.items():
        if not isinstance(table.get(key, kind()), kind):
            raise ValueError(f"{key!r} is not a {'list' if kind is list else 'string'}")
    if not table.get("dataset"):
        raise ValueError("'dataset' is missing: name a data set of the hub, or a folder")
    columns = table.get("columns", {})
    if not columns or not all(isinstance(column, str) and column for column in columns.values()):
        raise ValueError("[columns] must give each field its column or a template of columns, in quotes")
    folder = path.parent / user_path(table["dataset"])
    dataset = str(folder) if folder.is_dir() else table["dataset"]
    data = HubData(table.get("name", path.stem), dataset, table.get("config"), table.get("revision"))
    splits = tuple(map(str, table.get("splits", ())))
    return Mapping(data, table.get("licence", "the data set's own"), splits, columns, table.get("values", {}))


def _check_keys(where: str, table: object, names: Sequence[str]) -> None:
    if not isinstance(table, dict):
        raise ValueError(f"the table{where} is not a table")
    for key in table:
        if key not in names:
            raise ValueError(unknown_clause(f"key{where}", key, names))


def fill(template: str, row: JsonRow) -> Any:  # noqa: ANN401 - a column's value
    """Return a column's value, or a template's text. Raises ValueError for an unknown column."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        if names:
            return template.format_map({name: _text(value) for name, value in row.items()})
        value = row[template]
    except KeyError as error:
        raise ValueError(f"{template!r} needs the column {error}; choose from {', '.join(row)}") from error
    except (IndexError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"the template {template!r} cannot be filled ({error})") from error
    return _text(value)


def _of(field: str, value: Any) -> Any:  # noqa: ANN401
    """A list of texts as lines, except for the fields that are lists."""
    return "\n".join(map(str, value)) if isinstance(value, list) and field not in ("stop", "cases") else value


def _text(value: Any) -> Any:  # noqa: ANN401
    """A number as text, so that ids may be numbers; lists and texts as they are."""
    return str(value) if isinstance(value, int | float) else value
