"""MBPP: mostly basic Python problems (Austin et al. 2021, arXiv 2108.07732), Apache-2.0 / CC-BY-4.0.

974 problems, of which 427 also exist in a sanitized version. The data is looked for in this order: the file in
`mbpp:path/to/mbpp.jsonl` or in the environment variable QPROBE_MBPP, the cached copy, the Hugging Face hub.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.data_files import numbered_lines, parse_json, parse_row, read_text, sha256, user_path
from benchmarks.entry_points import tested_function
from benchmarks.extraction import cut_at
from benchmarks.hub import HubData
from benchmarks.problem import BenchmarkError, Problem

HUB_ID = "google-research-datasets/mbpp"
HUB_REVISION = "4bb6404fdc6cacfda99d4ac4205087b89d32030c"


@dataclass(frozen=True, slots=True)
class Source:
    """One of the authors' two files, with the digests by which it is recognised."""

    name: str  # of the benchmark
    config: str  # of the data set on the hub
    variable: str  # the environment variable that may name the file
    file_sha256: str  # of the file's bytes
    rows_sha256: str  # of the rows, from the file or the hub: see `rows_digest`

    @property
    def data(self) -> HubData:
        """The same data on the hub."""
        file = f"name the authors' file with --benchmark {self.name}:FILE or {self.variable}=FILE"
        return HubData(self.name, HUB_ID, self.config, HUB_REVISION, self.rows_sha256, rows_digest, file)


AUTHORS_FULL = Source(
    name="mbpp",
    config="full",
    variable="QPROBE_MBPP",
    file_sha256="ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
    rows_sha256="1208789f6a72a3f54ff4818d9dd11f55e37260a8d5a2605b1df0f3cc3454e3c4",
)
AUTHORS_SANITIZED = Source(
    name="mbpp-sanitized",
    config="sanitized",
    variable="QPROBE_MBPP_SANITIZED",
    file_sha256="ca95deaa9a01ef0a6f439f88bcf0dd3db3563d22f22aad6cae04ebb9a8d8c8e9",
    rows_sha256="a214e827e6b7198a8f1103a42ef037ce72e1245da46d97abd6df1194a9eb322d",
)
SPLITS = ((1, 10, "prompt"), (11, 510, "test"), (511, 600, "validation"), (601, 974, "train"))
STOPS = ("\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n<|/", "\n```")


class Mbpp:
    """MBPP with the official splits by task id: prompt 1-10, test 11-510, validation 511-600, train 601-974."""

    name = "mbpp"
    licence = "Apache-2.0 / CC-BY-4.0"
    source = AUTHORS_FULL

    def __init__(self, path: str | None = None) -> None:
        file = path or os.environ.get(self.source.variable)
        self._path = user_path(file) if file else None

    def problems(self) -> Sequence[Problem]:
        """All problems of all splits, by task id. Raises BenchmarkError where the data is missing or differs."""
        rows = _rows_of_file(self._path, self.source) if self._path else [row for _, row in self.source.data.rows()]
        return [_problem(row) for row in sorted(rows, key=lambda row: int(row["task_id"]))]

    def fetch(self) -> Path:
        """Cache a copy of the hub's rows."""
        return self.source.data.fetch()

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The completion up to its first stop string; the prompt is a docstring and adds nothing to run."""
        return cut_at(completion, problem.stop)


class MbppSanitized(Mbpp):
    """The 427 problems that the authors verified by hand; same splits, so fewer problems in each."""

    name = "mbpp-sanitized"
    source = AUTHORS_SANITIZED


def split_of(task_id: int) -> str:
    """The official split of a task id."""
    return next(name for low, high, name in SPLITS if low <= task_id <= high)


def paper_prompt(description: str, first_test: str) -> str:
    """The prompt of the paper: a docstring of the description and the first test (arXiv 2402.14688, section 4)."""
    return f'"""\n{description}\n{first_test}\n"""\n'


def _problem(row: dict[str, Any]) -> Problem:
    task_id = int(row["task_id"])
    tests: list[str] = row["test_list"]
    description = row.get("text") or row["prompt"]
    return Problem(
        id=f"MBPP/{task_id}",
        prompt=paper_prompt(description, tests[0]),
        entry_point=tested_function(tests, row["code"]),
        tests="\n".join(tests),
        solution=row["code"],
        setup="\n".join([row.get("test_setup_code") or "", *(row.get("test_imports") or [])]).strip(),
        split=split_of(task_id),
        stop=STOPS,
    )


def rows_digest(rows: Iterable[dict[str, Any]]) -> str:
    """A sha256 over what decides a verdict: task id, description, reference and tests of every row, by task id."""
    kept = sorted(
        [int(row["task_id"]), row.get("text") or row["prompt"], row["code"], list(row["test_list"])] for row in rows
    )
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def _rows_of_file(path: Path, source: Source) -> list[dict[str, Any]]:
    text = read_text(path)
    if sha256(path) != source.file_sha256:
        raise BenchmarkError(
            f"{path} is not the authors' file of {source.name}: its sha256 is {sha256(path)}, not "
            f"{source.file_sha256}. Use the original file, or give yours as --benchmark FILE.jsonl."
        )
    if source.config == "sanitized":
        return list(parse_json(text))
    return [parse_row(line) for _, line in numbered_lines(text)]
