"""From what a chat model answers to a program: reasoning left out, the right block found, the prompt's imports kept."""

import ast
import re
import warnings

from benchmarks.problem import Problem

_REASONING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL)
_REASONING_END = re.compile(r".*</(?:think|thinking|reasoning)>", re.DOTALL)
_BLOCK = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE_LINE = re.compile(r"^(?:def |class |import |from \S+ import |async def |@)", re.MULTILINE)


def without_reasoning(answer: str) -> str:
    """Return the answer without its reasoning sections; nothing is left of one that never ended.

    A chat template may have opened the section in the prompt, so that the answer only closes it.
    """
    return _REASONING_END.sub("", _REASONING.sub("", answer))


def blocks(answer: str) -> list[str]:
    """Return the contents of the fenced blocks; the last may lack its end, where the answer was cut."""
    return [match.group(2) for match in _BLOCK.finditer(answer)]


def answered_program(problem: Problem, answer: str) -> str:
    """Return the program in a chat model's answer.

    That is the first block that defines the entry point and compiles, or else the first that defines it, or the last
    block there is; without any block, the code in the text. Imports and helpers that a prompt of code begins with come
    before it; a bare function body continues the prompt.
    """
    answer = without_reasoning(answer)
    found = blocks(answer) or [_bare_code(answer)]
    defining = [block for block in found if _defines(block, problem.entry_point)]
    if problem.language or not problem.entry_point:
        return found[-1]
    if not defining:
        body = problem.prompt + found[0]
        is_body = found[0].startswith((" ", "\t")) and _defines(body, problem.entry_point) and compiles(body)
        return body if is_body else found[-1]
    chosen = next((block for block in defining if compiles(block)), defining[0])
    return _preamble(problem) + chosen


def compiles(program: str) -> bool:
    """Whether a program is Python at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _defines(block: str, name: str) -> bool:
    return bool(name) and re.search(rf"^(?:async def|def|class)\s+{re.escape(name)}\b", block, re.MULTILINE) is not None


def _preamble(problem: Problem) -> str:
    """What stands before the entry point in a prompt that is code."""
    at = re.search(rf"^def\s+{re.escape(problem.entry_point)}\b", problem.prompt, re.MULTILINE)
    return problem.prompt[: at.start()] if at else ""


def _bare_code(answer: str) -> str:
    """The code in an answer without blocks: from the first line that looks like it to the last that still compiles."""
    start = _CODE_LINE.search(answer)
    lines = answer[start.start() :].split("\n") if start else []
    for end in range(len(lines), 0, -1):
        ends_here = end == len(lines) or not lines[end].startswith((" ", "\t", ")"))
        if ends_here and compiles(program := "\n".join(lines[:end])):
            return program
    return answer
