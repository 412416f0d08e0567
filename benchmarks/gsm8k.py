"""GSM8K: word problems of grade school (Cobbe et al. 2021, arXiv 2110.14168), MIT, solved by programs.

A problem asks for a function `solution()` that returns the answer, as in PAL (Gao et al. 2022, arXiv 2211.10435) and in
the later version of the Q-Probe paper. The rows are read from the authors' file (`gsm8k:test.jsonl`, or a folder with
`train.jsonl` and `test.jsonl`), the cached copy or the hub.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.contests import text
from benchmarks.data_files import numbered_lines, parse_row, read_text, sha256, user_path
from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from benchmarks.hub import HubData, JsonRow
from benchmarks.problem import BenchmarkError, Problem

SPLITS = {
    "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465": "train",
    "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14": "test",
}
"""The sha256 of the authors' files."""
DATA = HubData("gsm8k", "openai/gsm8k", "main", otherwise="name the authors' file with --benchmark gsm8k:FILE.jsonl")
ENTRY_POINT = "solution"
ANSWER = re.compile(r"####\s*(-?[\d,]+(?:\.\d+)?)\s*$")
SETUP = '''def is_answer(found, expected):
    """A number, or the text of one, within 0.001 of the answer: the rule of PAL."""
    if isinstance(found, str):
        found = found.strip().lstrip("$").rstrip("%").replace(",", "")
    try:
        return abs(float(found) - expected) < 1e-3
    except (TypeError, ValueError, OverflowError):
        return False
'''


class Gsm8k:
    """The 1,319 problems of the split test and the 7,473 of train."""

    name = "gsm8k"
    licence = "MIT"

    def __init__(self, path: str | None = None) -> None:
        self._path = user_path(path) if path else None

    def problems(self) -> Sequence[Problem]:
        """All problems, those of train first. Raises BenchmarkError where the data is missing or cannot be read."""
        rows = self._rows_of_files(self._path) if self._path else self._rows_of_hub()
        problems = [_problem(*each) for each in rows]
        return sorted(problems, key=lambda problem: problem.split != "train")

    def fetch(self) -> Path | None:
        """Cache a copy of the hub's rows; None where a file is read."""
        return None if self._path else DATA.fetch()

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The prompt, continued up to the first stop string."""
        return continue_prompt(prompt, completion, problem.stop)

    def _rows_of_hub(self) -> Iterator[tuple[str, str, int, JsonRow]]:
        counts: dict[str, int] = {}
        for split, row in DATA.rows():
            counts[split] = counts.get(split, 0) + 1
            yield f"row {counts[split]} of {split}", split, counts[split], row

    def _rows_of_files(self, path: Path) -> Iterator[tuple[str, str, int, JsonRow]]:
        files = [path / f"{split}.jsonl" for split in SPLITS.values()] if path.is_dir() else [path]
        for file in files:
            content = read_text(file)
            split = SPLITS.get(sha256(file)) or ("train" if "train" in file.stem else "test")
            for place, (number, line) in enumerate(numbered_lines(content), start=1):
                try:
                    yield f"{file}, line {number}", split, place, parse_row(line)
                except ValueError as error:
                    raise BenchmarkError(f"{file}, line {number}: {error}.") from error


def _problem(place: str, split: str, number: int, row: JsonRow) -> Problem:
    try:
        question, answer = text(row, "question"), text(row, "answer")
        if not (found := ANSWER.search(answer)):
            raise ValueError("the field 'answer' does not end in #### and a number")
    except ValueError as error:
        raise BenchmarkError(f"{place}: {error}.") from error
    expected = found.group(1).replace(",", "")
    prompt = f'def {ENTRY_POINT}():\n    """{_in_quotes(question)}"""\n'
    return Problem(
        id=f"GSM8K/{split}/{number}",
        prompt=prompt,
        entry_point=ENTRY_POINT,
        tests=f"def check(candidate):\n    assert is_answer(candidate(), {expected})\n",
        solution=f"{prompt}    return {expected}\n",
        setup=SETUP,
        split=split,
        stop=FUNCTION_STOPS,
    )


def _in_quotes(question: str) -> str:
    """Return a text as it stands in a docstring."""
    escaped = question.strip().replace("\\", "\\\\").replace('"""', "'''")
    return escaped.replace('"', "'") if escaped.endswith('"') else escaped
