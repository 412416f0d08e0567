r"""Open a pair set by the name that a user gives as --pairs.

A TOML file maps the columns of any data set of the hub:

    dataset = "argilla/some-pairs"     # or a folder in the hub's layout, relative to this file
    splits = ["train"]                 # optional, as are config, revision, name, licence and layout
    layout = "plain"                   # or hh, shp, oasst: of the rows where no columns are given

    [columns]                          # a field, and its column or a template of columns
    prompt = "\n\nHuman: {question}\n\nAssistant:"
    chosen = " {best}"
    rejected = " {worst}"
"""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from benchmarks.choices import unknown, unknown_clause
from benchmarks.data_files import numbered_lines, parse_row, read_text, user_path
from benchmarks.hub import HubData, JsonRow, SplitRow
from benchmarks.mapping import fill
from benchmarks.pairs.pair import Pair, PairSet
from benchmarks.pairs.rows import (
    MIN_SCORE_RATIO,
    Made,
    Row,
    from_rows,
    layout_of,
    plain_pair,
    shp_pair,
    transcript_pair,
)
from benchmarks.pairs.trees import tree_pairs
from benchmarks.problem import BenchmarkError

PAIR_SETS = {
    "hh": ("Anthropic/hh-rlhf", "MIT"),
    "shp": ("stanfordnlp/SHP", "Reddit's API terms"),
    "oasst": ("OpenAssistant/oasst1", "Apache-2.0"),
}
"""Name -> data set of the hub, and its licence."""

LAYOUTS = ("plain", *PAIR_SETS)
FILES = ("FILE.jsonl", "MAPPING.toml", *(f"{name}:FILE.jsonl" for name in PAIR_SETS))
KEYS = {"dataset": str, "config": str, "revision": str, "name": str, "licence": str, "layout": str, "splits": list}
FIELDS = ("id", "prompt", "chosen", "rejected", "split")


def open_pairs(name: str, *, min_score_ratio: float = MIN_SCORE_RATIO) -> PairSet:
    """Return the pair set called `name`: hh, shp or oasst of the hub, `NAME:FILE`, `FILE.jsonl` or `MAPPING.toml`.

    `min_score_ratio` leaves out the pairs of SHP whose votes are closer. Raises BenchmarkError for any other name.
    """
    kind, _, file = name.partition(":")
    if kind in PAIR_SETS:
        dataset, licence = PAIR_SETS[kind]
        if file:
            return FilePairs(user_path(file), kind, min_score_ratio, licence)
        advice = f"give --pairs {kind}:FILE.jsonl"
        data = HubData(kind, dataset, otherwise=advice, command="qprobe pairs fetch")
        return HubPairs(kind, licence, data, kind, min_score_ratio)
    if name.endswith((".jsonl", ".jsonl.gz")):
        return FilePairs(user_path(name), "", min_score_ratio)
    if name.endswith(".toml"):
        return _mapped(user_path(name), min_score_ratio)
    raise BenchmarkError(unknown("pair set", name, [*PAIR_SETS, *FILES]))


@dataclass
class FilePairs:
    """The pairs of a file with one JSON object per line."""

    path: Path
    layout: str = ""  # "" is seen from the first row
    min_score_ratio: float = MIN_SCORE_RATIO
    licence: str = "unknown"

    @property
    def name(self) -> str:
        """The file's name without its endings."""
        return self.path.name.removesuffix(".gz").removesuffix(".jsonl")

    @property
    def left_out(self) -> Sequence[str]:
        """The rows that gave no pair."""
        return self._made.left_out

    def pairs(self) -> Sequence[Pair]:
        """Return all pairs. Raises BenchmarkError for a file or a row that cannot be read."""
        return self._made.pairs

    def fetch(self) -> None:
        """Return None: the file is on this machine."""

    @cached_property
    def _made(self) -> Made:
        return made_of(str(self.path), self._rows(), self.layout, self.min_score_ratio)

    def _rows(self) -> list[Row]:
        rows: list[Row] = []
        numbers: dict[str, int] = {}
        for number, line in numbered_lines(read_text(self.path)):
            try:
                values = parse_row(line)
            except ValueError as error:
                raise BenchmarkError(f"{self.path}, line {number}: {error}.") from error
            split = str(values.get("split") or "train")
            numbers[split] = numbers.get(split, 0) + 1
            rows.append(Row(f"line {number}", split, numbers[split], values))
        return rows


@dataclass
class HubPairs:
    """The pairs of a data set of the hub, or of a folder in its layout."""

    name: str
    licence: str
    data: HubData
    layout: str = ""
    min_score_ratio: float = MIN_SCORE_RATIO
    splits: tuple[str, ...] = ()  # () is all of them
    columns: dict[str, str] = field(default_factory=dict)  # by field; {} where rows have the layout's names

    @property
    def left_out(self) -> Sequence[str]:
        """The rows that gave no pair."""
        return self._made.left_out

    def pairs(self) -> Sequence[Pair]:
        """Return all pairs. Raises BenchmarkError where they cannot be fetched or read."""
        return self._made.pairs

    def fetch(self) -> Path | None:
        """Cache the data; None where it is a folder of this machine."""
        return None if self.data.is_local else self.data.fetch()

    @cached_property
    def _made(self) -> Made:
        rows = self.data.rows()
        present = list(dict.fromkeys(split for split, _ in rows))
        if absent := [split for split in self.splits if split not in present]:
            raise BenchmarkError(f"{self.name}: unknown split {absent[0]!r}. Choose from {', '.join(present)}.")
        return made_of(self.name, self._numbered(rows), self.layout, self.min_score_ratio, self.columns)

    def _numbered(self, rows: Iterable[SplitRow]) -> list[Row]:
        numbers: dict[str, int] = {}
        numbered = []
        for split, values in rows:
            numbers[split] = numbers.get(split, 0) + 1
            if not self.splits or split in self.splits:
                numbered.append(Row(f"split {split}, row {numbers[split]}", split, numbers[split], values))
        return numbered


def made_of(
    source: str, rows: list[Row], layout: str, min_score_ratio: float, columns: dict[str, str] | None = None
) -> Made:
    """Return the pairs of rows in a layout. Raises BenchmarkError for a wrong row, and where no row gives a pair."""
    if not rows:
        raise BenchmarkError(f"{source} is empty: it holds no pair.")
    layout = "plain" if columns else layout or layout_of(rows[0].values)
    if layout == "oasst":
        return tree_pairs(source, rows)
    readers: dict[str, Callable[[Row], Pair]] = {
        "plain": partial(_filled_pair, columns or {}),
        "hh": transcript_pair,
        "shp": partial(shp_pair, min_ratio=min_score_ratio),
    }
    return from_rows(source, rows, readers[layout])


def _filled_pair(columns: dict[str, str], row: Row) -> Pair:
    """The pair of a row whose columns have other names."""
    filled: JsonRow = {name: fill(template, row.values) for name, template in columns.items()}
    values = filled if columns else row.values
    return plain_pair(Row(row.place, str(values.get("split") or row.split), row.number, values))


def _mapped(path: Path, min_score_ratio: float) -> PairSet:
    """The pair set of a TOML file. Raises BenchmarkError where anything is wrong with it."""
    try:
        table = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise BenchmarkError(f"{path} is not TOML: {error}.") from error
    try:
        _check(table)
    except ValueError as error:
        raise BenchmarkError(f"{path}: {error}.") from error
    folder = path.parent / user_path(table["dataset"])
    dataset = str(folder) if folder.is_dir() else table["dataset"]
    name, licence = table.get("name", path.stem), table.get("licence", "the data set's own")
    data = HubData(name, dataset, table.get("config"), table.get("revision"), command="qprobe pairs fetch")
    splits, columns = tuple(map(str, table.get("splits", ()))), table.get("columns", {})
    return HubPairs(name, licence, data, table.get("layout", ""), min_score_ratio, splits, columns)


def _check(table: dict[str, Any]) -> None:
    """Raise ValueError for an unknown key or a value of another kind."""
    for key, value in table.items():
        if key not in (*KEYS, "columns"):
            raise ValueError(unknown_clause("key", key, (*KEYS, "columns")))
        if key in KEYS and not isinstance(value, KEYS[key]):
            raise ValueError(f"{key!r} is not a {'list' if KEYS[key] is list else 'string'}")
    if not table.get("dataset"):
        raise ValueError("'dataset' is missing: name a data set of the hub, or a folder")
    if table.get("layout", "plain") not in LAYOUTS:
        raise ValueError(unknown_clause("layout", table["layout"], LAYOUTS))
    columns = table.get("columns", {})
    if not isinstance(columns, dict) or not all(isinstance(column, str) and column for column in columns.values()):
        raise ValueError("[columns] must give each field its column or a template of columns, in quotes")
    for name in columns:
        if name not in FIELDS:
            raise ValueError(unknown_clause("key in [columns]", name, FIELDS))
