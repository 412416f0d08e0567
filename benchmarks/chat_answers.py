"""Make a program from the answer of a chat model: without the reasoning, with the prompt's imports."""

import re
from collections.abc import Iterator

from benchmarks.markdown import unix_lines
from benchmarks.problem import Problem
from benchmarks.program_choice import acts, bodies, defines, function_program, last_block, whole_block, with_preamble
from benchmarks.python_source import compiling_beginning
from benchmarks.reasoning import without_reasoning

VERSION = 2
"""Of the extraction: raised when the same answer may give another program."""

_CODE_LINE = re.compile(r"^(?:def|class|import|async def|from \S+ import|@\w)(?:\b|\s)", re.MULTILINE)
_PROGRAM_LINE = re.compile(
    rf"{_CODE_LINE.pattern}|^(?:[A-Za-z_][\w, ]{{0,80}}=|(?:for|while|if|with|try|print)\b)", re.MULTILINE
)
_TAG = re.compile(r"</?(?:answer|final_answer|code|pre|output|response|solution)>")
STARTS = 20
"""Lines at which code without fences is looked for."""


def answered_program(problem: Problem, answer: str) -> str:
    """Return the program in a chat model's answer; see `benchmarks.program_choice`.

    Imports and helpers that a prompt of code begins with come before a function; a function's bare body continues the
    prompt. Without code blocks, the program is the code in the text.
    """
    answer = unix_lines(without_reasoning(answer))
    if problem.language or not problem.entry_point:
        return _whole(answer, problem.language or "python")
    name = problem.entry_point
    program = function_program(answer, name) or _bare_function(answer, name)
    if program is not None:
        return with_preamble(_preamble(problem), program)
    continued = (problem.prompt + body for body in bodies(answer))
    if whole := next((program for program in continued if defines(program, name)), None):
        return whole
    block = last_block(answer, name)
    return next(_bare_code(answer, _CODE_LINE), answer) if block is None else block


def _whole(answer: str, language: str) -> str:
    block = whole_block(answer, language)
    if block is not None:
        return block
    return next(_bare_code(answer, _PROGRAM_LINE), answer) if language == "python" else answer


def _bare_function(answer: str, name: str) -> str | None:
    return next((code for code in _bare_code(answer, _CODE_LINE) if defines(code, name)), None)


def _bare_code(answer: str, line: re.Pattern[str]) -> Iterator[str]:
    """The code in an answer without blocks: from a line that looks like it to the last that still compiles."""
    if acts(answer):
        yield answer
        return
    answer = _TAG.sub("\n", answer)
    for number, start in enumerate(line.finditer(answer)):
        if number >= STARTS:
            return
        if acts(code := compiling_beginning(answer[start.start() :], attempts=4)):
            yield code


def _preamble(problem: Problem) -> str:
    """The part of a prompt of code before the entry point and its decorators."""
    name = re.escape(problem.entry_point)
    place = re.search(rf"^(?:@.*\n)*(?:async[ \t]+def|def|class)[ \t]+{name}\b", problem.prompt, re.MULTILINE)
    return problem.prompt[: place.start()] if place else ""
