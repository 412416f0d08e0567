"""A prompt in a TOML file:

name = "terse"
version = 1
prompt = "Complete {entry_point}:\\n{prompt}"   # fields: id, prompt, entry_point, first_test; {{ is a brace
extract = "continue"          # "continue" the problem's prompt, a "whole" program, or the "answer" of a chat
chat = false                  # whether the prompt is a user's message to a chat model
stop = ["\\ndef"]              # default: the problem's stop strings
"""

import hashlib
import string
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.chat_answers import VERSION, answered_program
from benchmarks.choices import unknown_clause
from benchmarks.data_files import read_text
from benchmarks.extraction import cut_at
from benchmarks.problem import Benchmark, BenchmarkError, Problem
from benchmarks.prompt import Prompt

FIELDS = ("id", "prompt", "entry_point", "first_test")
KINDS = {"name": str, "version": int, "prompt": str, "extract": str, "chat": bool, "stop": list}
REQUIRED = ("name", "prompt")


def read_template(file: str, benchmark: Benchmark) -> Prompt:
    """Return the prompt in a file. Raises BenchmarkError where anything is wrong with it."""
    text = read_text(Path(file))
    try:
        return _prompt(tomllib.loads(text), text, benchmark)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise BenchmarkError(f"{file}: {error}.") from error


def _prompt(table: dict[str, Any], text: str, benchmark: Benchmark) -> Prompt:
    for name, value in table.items():
        if name not in KINDS:
            raise ValueError(unknown_clause("setting", name, KINDS))
        if not isinstance(value, KINDS[name]):
            raise ValueError(f"the setting {name!r} is not a {KINDS[name].__name__}")
    if missing := [name for name in REQUIRED if name not in table]:
        raise ValueError(f"the setting {missing[0]!r} is missing")
    stop = table.get("stop")
    if stop is not None and not all(isinstance(text, str) and text for text in stop):
        raise ValueError("the setting 'stop' is not a list of non-empty strings")
    kind = table.get("extract", "continue")
    return Prompt(
        f"{benchmark.name}/{table['name']}",
        table.get("version", 1),
        _renderer(table["prompt"]),
        _extractor(kind, benchmark, stop),
        stop=None if stop is None else tuple(stop),
        chat=table.get("chat", False),
        digest=hashlib.sha256(f"{text}{VERSION if kind == 'answer' else ''}".encode()).hexdigest()[:12],
    )


def _renderer(template: str) -> Callable[[Problem], str]:
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name is not None and (name not in FIELDS or spec or conversion):
            raise ValueError(f"unknown field {{{name}}} in the prompt; choose from {', '.join(FIELDS)}")

    def render(problem: Problem) -> str:
        first_test = next((line for line in problem.tests.split("\n") if line.startswith("assert")), "")
        named = {"id": problem.id, "prompt": problem.prompt, "entry_point": problem.entry_point}
        return template.format(**named, first_test=first_test)

    return render


def _extractor(kind: str, benchmark: Benchmark, stop: list[str] | None) -> Callable[[Problem, str], str]:
    def cut(problem: Problem, text: str) -> str:
        return cut_at(text, problem.stop if stop is None else stop)

    kinds: dict[str, Callable[[Problem, str], str]] = {
        "continue": lambda problem, text: benchmark.program(problem, problem.prompt, cut(problem, text)),
        "whole": cut,
        "answer": lambda problem, text: answered_program(problem, cut_at(text, stop or ())),
    }
    if kind not in kinds:
        raise ValueError(unknown_clause("extraction", kind, kinds))
    return kinds[kind]
