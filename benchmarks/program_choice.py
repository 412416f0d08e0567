"""Choose the program among the code blocks of an answer.

A function: the last block that defines the entry point, is no stub and compiles, after those other blocks that define
the names it lacks. A whole program: the last block in its language that reads its input and writes its output. Where no
block does, all blocks together are tried, and then the last.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import indent
from typing import NamedTuple

from benchmarks.markdown import Block, indented_blocks, readings, unix_lines
from benchmarks.python_source import compiles, compiling_beginning, outline


class Signs(NamedTuple):
    """The signs by which a block is known to be a whole program in a language."""

    names: frozenset[str]  # of the language, behind a fence
    reads: re.Pattern[str]
    writes: re.Pattern[str]


SIGNS = {
    "python": Signs(
        frozenset({"python", "py", "python3", "py3", "python2", "ipython", "sage", "pypy", "pypy3"}),
        re.compile(
            r"\b(?:raw_)?input\b(?!\s*=)|\bstdin\b(?!\s*=)|\bopen\s*\(\s*(?:0\b|[\"']/dev/stdin)|\bfileinput\b|\bos\.read\b"
        ),
        re.compile(r"\bprint\b|\bstdout\b|\bwrite\b"),
    ),
    "javascript": Signs(
        frozenset({"javascript", "js", "node", "nodejs", "mjs", "cjs", "ecmascript", "jsx"}),
        re.compile(r"\bstdin\b|readFileSync\(\s*0|/dev/stdin|\breadline\b"),
        re.compile(r"\bconsole\b|\bstdout\b|\bwrite\b"),
    ),
}
_PUNCTUATION = re.compile(r"[(){};=]")


def function_program(answer: str, name: str) -> str | None:
    """Return the program in an answer that defines `name` and compiles; None where no program does."""
    text = unix_lines(answer)
    if name not in text:
        return None
    if defines(text, name):
        return text
    for imports in (False, True):  # `from solution import add` in an example is not the answer, unless nothing else is
        for blocks in _function_readings(text):
            for number in reversed(range(len(blocks))):
                if defines(blocks[number].text, name, imports=imports):
                    return _with_helpers(blocks, number)
    return _in_parts(text, name)


def _function_readings(text: str) -> Iterator[list[Block]]:
    yield from readings(text)
    yield indented_blocks(text)


def _in_parts(text: str, name: str) -> str | None:
    """The program of an answer that was cut, or that spreads it over several blocks."""
    blocks = _fenced(text)
    pattern = defining(name)
    for block in reversed([block for block in blocks if pattern.search(block.text)]):
        if defines(begun := compiling_beginning(block.text), name):
            return begun
    together = "\n".join(block.text for block in blocks)
    return together if defines(together, name) else None


def last_block(answer: str, name: str = "") -> str | None:
    """Return the last block, of those that define `name` by the look of it where any does; None without blocks."""
    blocks = _fenced(unix_lines(answer))
    pattern = defining(name)
    wanted = [block for block in blocks if name and pattern.search(block.text)] or blocks
    return wanted[-1].text if wanted else None


def bodies(answer: str) -> Iterator[str]:
    """Yield what may be the body of a function that the prompt begins: indented blocks, and those that return."""
    text = unix_lines(answer)
    for source in [text, *(block.text for block in [*_fenced(text), *indented_blocks(text)])]:
        if source.startswith((" ", "\t")):
            yield source
        elif (facts := outline(source)) and facts.returns:
            yield indent(source, "    ")


def whole_block(answer: str, language: str) -> str | None:
    """Return the whole program among an answer's blocks; None where it has none, or is a program itself."""
    text = unix_lines(answer)
    if language == "python" and acts(text):
        return None
    for blocks in _with_opened_block(text):
        usable = _usable(blocks, language)
        if complete := [place for place, block in enumerate(usable) if _is_complete(block.text, language)]:
            last = complete[-1]
            return _with_helpers(usable, last) if language == "python" else usable[last].text
    blocks = _fenced(text)
    usable = _usable(blocks, language)
    together = "\n".join(block.text for block in usable)
    if len(usable) > 1 and _is_complete(together, language):
        return together
    return next((block.text for block in reversed(usable or blocks)), None)


def acts(source: str) -> bool:
    """Return whether a text is Python that does anything."""
    facts = outline(source)
    return facts is not None and facts.acts


def defining(name: str) -> re.Pattern[str]:
    """Return the pattern that finds where a source defines a name, whether it compiles or not."""
    name = re.escape(name)
    return re.compile(rf"^(?:async[ \t]+def|def|class)[ \t]+{name}\b|^{name}[ \t]*=", re.MULTILINE)


def _fenced(text: str) -> list[Block]:
    """The blocks in the first reading that has any."""
    return next((blocks for blocks in readings(text) if blocks), [])


def _with_opened_block(text: str) -> Iterator[list[Block]]:
    """The readings; before them, the code before a bare fence, where the prompt ended in an open block."""
    code, fence, _ = text.partition("\n```\n") if "\n```\n" in text else text.partition("\n```")
    if fence and acts(code):
        yield [Block(code)]
    yield from readings(text)


def defines(source: str, name: str, *, imports: bool = True) -> bool:
    """Return whether a source compiles and gives a name a meaning that is no stub, nor an import if not `imports`."""
    facts = outline(source) if name in source else None
    if facts is None:
        return False
    return name in facts.defined - facts.stubs and (imports or name not in facts.imported)


def _with_helpers(blocks: Sequence[Block], number: int) -> str:
    """A block after those that define the names it lacks, and the names these lack; examples that use it are none."""
    own = frozenset(_defined(blocks[number]))
    helpers = [place for place, block in enumerate(blocks) if place != number and not own & _missing(block)]
    homes = {name: place for place in helpers for name in _defined(blocks[place])}
    wanted, pending = {number}, [number]
    while pending:
        new = {homes[name] for name in _missing(blocks[pending.pop()]) if name in homes} - wanted
        wanted |= new
        pending.extend(new)
    return "\n".join(blocks[place].text for place in [*sorted(wanted - {number}), number])


def _defined(block: Block) -> Iterable[str]:
    facts = outline(block.text)
    return facts.defined if facts else ()


def _missing(block: Block) -> frozenset[str]:
    facts = outline(block.text)
    return facts.missing if facts else frozenset()


def _usable(blocks: Sequence[Block], language: str) -> list[Block]:
    """The blocks in a language: those that say so, or else those without a language that may be a program in it."""
    signs = SIGNS.get(language)
    named = [block for block in blocks if block.language in (signs.names if signs else {language})]
    unnamed = [block for block in blocks if not block.language and _is_program(block.text, language)]
    return named or unnamed


def _is_program(source: str, language: str) -> bool:
    return acts(source) if language == "python" else bool(_PUNCTUATION.search(source))


def _is_complete(source: str, language: str) -> bool:
    """Return whether a source reads its input and writes its output, by the look of it."""
    signs = SIGNS.get(language)
    if language == "python" and not compiles(source):
        return False
    return signs is None or bool(signs.reads.search(source) and signs.writes.search(source))


def with_preamble(preamble: str, program: str) -> str:
    """Return a program after a prompt's first lines; `from __future__ import` stays at the top."""
    facts = outline(program) if preamble.strip() else None
    lines = program.split("\n")
    line = facts.future_line if facts else 0
    return "\n".join([*lines[:line], preamble + lines[line], *lines[line + 1 :]])
