"""The outline of a Python source: whether it compiles, which names it defines, and which it lacks."""

import ast
import builtins
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from benchmarks.data_files import ReaderLimitError, long_integers

MAX_DIGITS = 4300
"""The longest decimal literal that Python compiles by default."""

MAX_BRACKETS = 150
"""The deepest nesting of a value in tests: Python compiles fewer than 200 brackets within one another."""

_LONGEST_DECIMAL = 10**MAX_DIGITS
_LONG_NUMBER = re.compile(r"\d[\d_]{4299}")
_BUILTINS = frozenset(dir(builtins)) | {"__file__", "__name__", "__doc__"}
_CONTINUED = (" ", "\t", ")", "]", "}", "else", "elif", "except", "finally")
_INNER_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a source that decide which of several sources is the program."""

    defined: frozenset[str]  # names bound at the left margin
    stubs: frozenset[str]  # those of them that are functions without a body
    imported: frozenset[str]  # those of them that are imported
    missing: frozenset[str]  # names that are read and never bound, builtins aside
    acts: bool  # whether there is more than values: a call, a definition, an import
    returns: bool  # whether a `return` stands outside of functions: a body without its first line
    future_line: int  # of the last `from __future__ import`, from 1; 0 without


def parse(source: str) -> ast.Module | None:
    """Return the syntax tree; None where the source does not compile."""
    return None if isinstance(tree := _parsed(source), int) else tree


def compiles(source: str) -> bool:
    """Return whether a source is Python."""
    return parse(source) is not None


@lru_cache(maxsize=64)
def outline(source: str) -> Outline | None:
    """Return the outline; None where the source does not compile."""
    tree = parse(source)
    if tree is None:
        return None
    try:
        return _outline(tree)
    except RecursionError:
        return None


def literal(value: object, depth: int = 0) -> str:
    """Return a value of JSON's types as Python source; integers too long for a decimal literal in hexadecimal.

    Raises ReaderLimitError for brackets nested more deeply than Python compiles; `depth` are those around the value.
    """
    if depth > MAX_BRACKETS:
        raise ReaderLimitError("nested too deeply")
    match value:
        case list():
            return f"[{', '.join(literal(item, depth + 1) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{key!r}: {literal(item, depth + 1)}' for key, item in value.items())}}}"
        case bool():
            return repr(value)
        case int():
            return repr(value) if abs(value) < _LONGEST_DECIMAL else hex(value)
    return repr(value)


def with_hex_integers(source: str) -> str:
    """Return a source whose decimal literals of more digits than Python compiles are in hexadecimal.

    A source that cannot be split into tokens is returned as it is.
    """
    if _LONG_NUMBER.search(source) is None:
        return source
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return source
    lines = source.split("\n")
    for token in reversed(tokens):
        digits = token.string.replace("_", "")
        if token.type == tokenize.NUMBER and digits.isdecimal() and len(digits) >= MAX_DIGITS:
            (row, start), (_, end) = token.start, token.end
            with long_integers():
                lines[row - 1] = f"{lines[row - 1][:start]}{int(digits):#x}{lines[row - 1][end:]}"
    return "\n".join(lines)


def compiling_beginning(source: str, attempts: int = 10) -> str:
    """Return the beginning of a source that compiles, up to the statement at the left margin that does not; "" if none.

    Every attempt parses a shorter source, and there are at most `attempts`.
    """
    lines = source.split("\n")
    for _ in range(attempts):
        tree = _parsed("\n".join(lines))
        if not isinstance(tree, int):
            return "\n".join(lines)
        end = min(tree, len(lines)) - 1
        while end > 0 and (not lines[end] or lines[end].startswith(_CONTINUED)):
            end -= 1
        lines = lines[: max(end, 0)]
    return ""


def _parsed(source: str) -> ast.Module | int:
    """The tree, or the number of the line that is wrong; 0 where that is not known."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in strings
            return ast.parse(source)
    except SyntaxError as error:
        return error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        return 0


def _outline(tree: ast.Module) -> Outline:
    nodes = list(ast.walk(tree))
    loaded = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound = {name for node in nodes for name in _bound(node)}
    at_margin = list(_at_margin(tree.body))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    return Outline(
        defined=frozenset(name for node in at_margin for name in _bound(node)),
        stubs=frozenset(node.name for node in tree.body if isinstance(node, _INNER_SCOPES[:2]) and _is_stub(node)),
        imported=frozenset(name for node in at_margin if isinstance(node, ast.alias) for name in _bound(node)),
        missing=frozenset(loaded - bound - _BUILTINS),
        acts=any(_acts(node) for node in nodes),
        returns=any(isinstance(node, ast.Return) for node in at_margin),
        future_line=max((node.end_lineno or 0 for node in imports), default=0),
    )


def _acts(node: ast.AST) -> bool:
    """Return whether a node is a call or a statement; `Output: 3` is an annotation and `1, 2` an expression."""
    if isinstance(node, ast.AnnAssign):
        return node.value is not None
    return isinstance(node, ast.Call | ast.stmt) and not isinstance(node, ast.Expr)


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a node itself binds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name.partition(".")[0]


def _at_margin(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node that is not within a function or a class; these themselves are."""
    pending = list(statements)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _INNER_SCOPES):
            pending.extend(ast.iter_child_nodes(node))


def _is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function holds nothing but a docstring, `...` or `pass`."""
    return all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )
