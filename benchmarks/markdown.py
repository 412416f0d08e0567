"""The code blocks of a Markdown text: as CommonMark reads them, and as chat models mean them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from textwrap import dedent

from markdown_it import MarkdownIt
from markdown_it.token import Token

_COMMONMARK = MarkdownIt("zero").enable(["code", "fence", "blockquote", "hr", "list"])
"""No raw HTML: a fence below `<details>` is meant as one. No inline rules: they cost time and find no block."""
_ANY_INDENTATION = MarkdownIt("zero").enable("fence")
"""Without lists, quotes and indented code, a fence counts however deep it stands."""

_LANGUAGE = re.compile(r"[{.\s]*(?:lang(?:uage)?[=-])?([A-Za-z][\w#+-]*)")
_TAG = re.compile(r"[\w#+.-]*")
_RUN = re.compile(r"`{3,}|~{3,}")
_DOCUMENT = frozenset({"markdown", "md"})
DOCUMENT_DEPTH = 3
EXTENDED_BLOCKS, EXTENSIONS = 5, 4
"""The blocks that are read beyond their ends, and the ends that are tried for each."""


@dataclass(frozen=True, slots=True)
class Block:
    """One code block, without its fences and their indentation."""

    text: str
    language: str = ""  # the first word behind the fence, in lower case; "" without


def fenced_blocks(text: str) -> list[Block]:
    """Return the fenced blocks in their order; the last may lack its end, where the text was cut."""
    return [block for token in _fences(_COMMONMARK, text) for block in _blocks_of(token)]


def readings(text: str) -> Iterator[list[Block]]:
    """Yield the blocks of a text in several readings, from the strict one to what its author may have meant.

    CommonMark; blocks that a fence within a docstring closed too early; fences at any indentation, whose list or quote
    the code left; fences that share a line with text or code.
    """
    text = unix_lines(text)
    yield fenced_blocks(text)
    yield list(_extended_blocks(text))
    yield [block for token in _fences(_ANY_INDENTATION, text) for block in _blocks_of(token)]
    yield _split_at_fences(text)


def unix_lines(text: str) -> str:
    """Return a text with a line feed alone at the end of each line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def indented_blocks(text: str) -> list[Block]:
    """Return the blocks that are set off by indentation alone."""
    return [Block(token.content) for token in _code_tokens(_COMMONMARK, text) if token.type == "code_block"]


def _fences(parser: MarkdownIt, text: str) -> list[Token]:
    if _RUN.search(text) is None:
        return []
    return [token for token in _code_tokens(parser, text) if token.type == "fence"]


@lru_cache(maxsize=4)
def _code_tokens(parser: MarkdownIt, text: str) -> tuple[Token, ...]:
    """The code blocks of a text, parsed once for all questions about it."""
    return tuple(token for token in parser.parse(text) if token.type in ("fence", "code_block"))


def _blocks_of(token: Token, depth: int = 0) -> Iterator[Block]:
    """The block of a fence; of a fenced Markdown document, the blocks in it."""
    block = Block(token.content, _language(token.info))
    inner = _fences(_COMMONMARK, block.text) if block.language in _DOCUMENT and depth < DOCUMENT_DEPTH else []
    if not inner:
        yield block
    for fence in inner:
        yield from _blocks_of(fence, depth + 1)


def _language(info: str) -> str:
    match = _LANGUAGE.match(info)
    return match.group(1).lower() if match else ""


def _extended_blocks(text: str) -> Iterator[Block]:
    """Each block again, up to the fences behind its own end."""
    lines = text.split("\n")
    bare = [number for number, line in enumerate(lines) if _RUN.fullmatch(line.strip())]
    for token in _fences(_COMMONMARK, text)[-EXTENDED_BLOCKS:]:
        start, end = token.map or (0, 0)
        behind = [number for number in bare if number >= end and lines[number].strip()[0] == token.markup[0]]
        for number in behind[:EXTENSIONS]:
            yield Block(dedent("\n".join(lines[start + 1 : number]) + "\n"), _language(token.info))


def _split_at_fences(text: str) -> list[Block]:
    """Every second piece between runs of backticks, wherever in a line they stand."""
    return [_loose_block(piece) for piece in re.split(r"`{3,}", text)[1::2]]


def _loose_block(piece: str) -> Block:
    """A block whose first line may be a language, code, or both."""
    first, _, rest = piece.partition("\n")
    if _TAG.fullmatch(first.strip()) and rest:
        return Block(dedent(rest), _language(first))
    word, _, code = first.strip().partition(" ")
    if not rest:
        return Block(code if word in ("python", "py", "python3") else first.strip(), "")
    return Block(dedent(rest), _language(first)) if "=" in first and "(" not in first else Block(piece)
