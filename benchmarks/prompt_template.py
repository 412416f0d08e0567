"""A prompt of the user's own, in a TOML file:

name = "terse"
version = 1
prompt = "Complete {entry_point}:\\n{prompt}"   # fields: id, prompt, entry_point, first_test; a brace is written twice
extract = "continue"          # "continue" the problem's own prompt, a "whole" program, or the "answer" of a chat
chat = false                  # whether the prompt is what a user says to a chat model
stop = ["\\ndef"]              # left out: the problem's own
"""

import hashlib
import string
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.chat_answers import answered_program
from benchmarks.extraction import cut_at
from benchmarks.problem import Benchmark, BenchmarkError, Problem
from benchmarks.prompt import Prompt
from benchmarks.reading import read_text

FIELDS = ("id", "prompt", "entry_point", "first_test")
KINDS = {"name": str, "version": int, "prompt": str, "extract": str, "chat": bool, "stop": list}
REQUIRED = ("name", "prompt")


def read_template(file: str, benchmark: Benchmark) -> Prompt:
    """Return the prompt in a file. Raises BenchmarkError saying what is wrong with it."""
    text = read_text(Path(file))
    try:
        return _prompt(tomllib.loads(text), text, benchmark)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise BenchmarkError(f"{file}: {error}.") from error


def _prompt(table: dict[str, Any], text: str, benchmark: Benchmark) -> Prompt:
    for name, value in table.items():
        if name not in KINDS:
            raise ValueError(f"there is no setting {name!r}; there are {', '.join(KINDS)}")
        if not isinstance(value, KINDS[name]):
            raise ValueError(f"the setting {name!r} is not a {KINDS[name].__name__}")
    if missing := [name for name in REQUIRED if name not in table]:
        raise ValueError(f"the setting {missing[0]!r} is missing")
    stop = table.get("stop")
    if stop is not None and not all(isinstance(each, str) and each for each in stop):
        raise ValueError("the setting 'stop' is not a list of non-empty strings")
    return Prompt(
        f"{benchmark.name}/{table['name']}",
        table.get("version", 1),
        _renderer(table["prompt"]),
        _extractor(table.get("extract", "continue"), benchmark, stop),
        stop=None if stop is None else tuple(stop),
        chat=table.get("chat", False),
        digest=hashlib.sha256(text.encode()).hexdigest()[:12],
    )


def _renderer(template: str) -> Callable[[Problem], str]:
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name is not None and (name not in FIELDS or spec or conversion):
            raise ValueError(f"the prompt has an unknown field {{{name}}}; there are {', '.join(FIELDS)}")

    def render(problem: Problem) -> str:
        first_test = next((line for line in problem.tests.split("\n") if line.startswith("assert")), "")
        named = {"id": problem.id, "prompt": problem.prompt, "entry_point": problem.entry_point}
        return template.format(**named, first_test=first_test)

    return render


def _extractor(kind: str, benchmark: Benchmark, stop: list[str] | None) -> Callable[[Problem, str], str]:
    def cut(problem: Problem, text: str) -> str:
        return cut_at(text, problem.stop if stop is None else stop)

    known: dict[str, Callable[[Problem, str], str]] = {
        "continue": lambda problem, text: benchmark.program(problem, problem.prompt, cut(problem, text)),
        "whole": cut,
        "answer": lambda problem, text: answered_program(problem, cut_at(text, stop or ())),
    }
    if kind not in known:
        raise ValueError(f"the setting 'extract' is {kind!r}; it is one of {', '.join(known)}")
    return known[kind]
