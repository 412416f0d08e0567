"""Scores from a file, one per sample: a reward model's, a judge's, or any other, as a further row of a report."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_files import numbered_lines, parse_row, read_text
from harness.errors import QprobeError
from harness.reports.inputs import ReportInputs
from harness.rewards.score_card import read_score_card
from harness.runs.completion import SampleId
from harness.runs.join import place

NAMES = {"problem": ("problem", "task_id"), "index": ("index", "sample"), "score": ("score",)}
"""The names of each column: those of `qprobe export` first."""


def with_scores(inputs: ReportInputs, files: Sequence[Path]) -> ReportInputs:
    """Return the inputs with the scores of each file, named as the file is without its ending.

    Raises QprobeError for a file without exactly one finite score per graded sample, and for a name that is in use.
    """
    given, cards = dict(inputs.given), dict(inputs.cards)
    for path in files:
        if path.stem in {*inputs.all_scores, *given, "pass@1", "greedy"}:
            raise QprobeError(f"The report has a row {path.stem} already: rename {path}.")
        given[path.stem] = _placed(path, inputs)
        if card := read_score_card(path):
            cards[path.stem] = card
    return replace(inputs, given=given, cards=cards)


def _placed(path: Path, inputs: ReportInputs) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The scores at the places of the samples [P, N]; 0 for those that were not graded."""
    scores = read_scores(path)
    problem_ids, indices_PN = inputs.scores.problem_ids, inputs.scores.indices_PN
    graded = {
        SampleId(problem_ids[row], int(indices_PN[row, column])) for row, column in np.argwhere(inputs.mask_PN).tolist()
    }
    if missing := sorted(graded - scores.keys()):
        raise QprobeError(f"{path} lacks a score for {len(missing):,} of {len(graded):,} samples, {_first(missing)}.")
    held = {SampleId(name, index) for name, own in zip(problem_ids, indices_PN.tolist(), strict=True) for index in own}
    if unknown := sorted(scores.keys() - held):
        raise QprobeError(f"{path} has scores of {len(unknown):,} samples that the run lacks, {_first(unknown)}.")
    return place(scores, problem_ids, indices_PN, 0.0)


def _first(samples: Sequence[SampleId]) -> str:
    return f"first {samples[0].problem_id}, index {samples[0].sample}"


def read_scores(path: Path) -> dict[SampleId, float]:
    """Return the scores of a CSV file with a header, or of JSON Lines, by sample.

    Columns: `problem` (or `task_id`), `index` (from 0 within the problem, as `qprobe export` writes it), `score`.
    Raises QprobeError, with the line, for a row that cannot be read and for a sample's second score.
    """
    scores: dict[SampleId, float] = {}
    for line, row in _rows(path):
        try:
            sample = SampleId(str(_value(row, "problem")), int(_value(row, "index")))
            score = float(_value(row, "score"))
        except (TypeError, ValueError) as error:
            raise QprobeError(f"{path}, line {line}: {error}; give problem, index and score.") from error
        if not math.isfinite(score):
            raise QprobeError(f"{path}, line {line}: the score {score} is not finite.")
        if sample in scores:
            raise QprobeError(f"{path}, line {line}: index {sample.sample} of {sample.problem_id} has a score already.")
        scores[sample] = score
    if not scores:
        raise QprobeError(f"{path} holds no scores: give one row per sample, with problem, index and score.")
    return scores


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = read_text(path)
    if path.name.endswith((".csv", ".csv.gz")):
        reader = csv.DictReader(text.splitlines())
        for row in reader:
            yield reader.line_num, row
        return
    for line, content in numbered_lines(text):
        try:
            yield line, parse_row(content)
        except ValueError as error:
            raise QprobeError(f"{path}, line {line}: {error}; or name a .csv file.") from error


def _value(row: dict[str, Any], column: str) -> Any:  # noqa: ANN401 - JSON's own types
    name = next((name for name in NAMES[column] if row.get(name) is not None), None)
    if name is None:
        raise ValueError(f"the column {column!r} is missing")
    if isinstance(row[name], bool):
        raise TypeError(f"the column {name!r} is no number")  # bool is an int
    return row[name]
