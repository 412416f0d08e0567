"""Reads from a program's source what its loops may do.

A loop is *closed* where all that it does is compute: it calls the program's own functions, pure ones of the standard
library, and methods of plain values. What such a loop does next follows from the values of the names it uses.
"""

import ast
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any, NamedTuple

_METHODS = """
    append appendleft bit_length capitalize clear copy count difference endswith extend extendleft find get index
    insert intersection is_integer isalnum isalpha isdecimal isdigit isdisjoint islower isnumeric isspace issubset
    issuperset istitle isupper items join keys ljust lower lstrip partition pop popleft popitem replace reverse rfind
    rindex rjust rotate rpartition rsplit rstrip setdefault sort split splitlines startswith strip swapcase title
    translate union update upper values zfill
"""
_SET_CHANGES = frozenset(
    (
        *("add", "clear", "difference_update", "discard", "intersection_update", "pop", "remove", "update"),
        "symmetric_difference_update",
    )
)
_MODULE_MEMBERS = """
    accumulate ascii_letters ascii_lowercase ascii_uppercase atan2 ceil chain combinations comb cos dist digits e exp
    fabs factorial floor fmod from_iterable gcd groupby hexdigits hypot inf isclose isfinite isinf isnan isqrt islice
    lcm log log10 log2 octdigits perm permutations pi prod product punctuation radians repeat sin sqrt takewhile tan
    trunc whitespace zip_longest
"""
MODULE_MEMBERS = frozenset(_MODULE_MEMBERS.split())
_ATTRIBUTES = frozenset(_METHODS.split()) | _SET_CHANGES | MODULE_MEMBERS
"""Attributes that a closed loop may read: of plain values, and of the modules in `loop_state`."""

_DICT_CHANGES = frozenset(("clear", "pop", "popitem", "setdefault", "update"))
_SET_OPERATORS = (ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)
_SUM_OPERATORS = (ast.Add, ast.Sub, ast.Mult)

_SIMPLE = (
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Expr,
    ast.Return,
    ast.Pass,
    ast.Break,
    ast.Continue,
    ast.Delete,
)
_SCOPES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
_CLOSED = (
    *(*_SIMPLE, *_SCOPES, ast.If, ast.While, ast.For, ast.Try, ast.ExceptHandler, ast.Raise, ast.Assert, ast.Global),
    *(ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript, ast.Slice),
    *(ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Call, ast.keyword, ast.Attribute, ast.Starred, ast.NamedExpr),
    *(ast.JoinedStr, ast.FormattedValue, ast.comprehension, ast.arguments, ast.arg, ast.Nonlocal),
    *(ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
_SUSPENDS = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


class OpenLoopError(Exception):
    """A loop may do what its state does not tell."""


class Loop(NamedTuple):
    """A `while` loop."""

    nodes: list[ast.AST]  # its condition and its body
    first_line: int
    last_line: int
    anchors: frozenset[int]
    """Lines at whose start the interpreter's stack is as it was before the loop: no iterator has come half its way, and
    no expression is half evaluated."""


class Reading(NamedTuple):
    """A summary of closed code."""

    names: frozenset[str]
    inner_names: frozenset[str]  # bound by comprehensions: some versions of Python count them as the function's
    changes_sets: bool
    changes_dicts: bool
    walks: bool  # over anything, in a `for` or a comprehension
    changes_on_walk: bool  # maybe a dict, while it is walked over
    catches: bool  # exceptions


class Source:
    """A program's source."""

    def __init__(self, text: str, file: str) -> None:
        """`file` is the name it was compiled under. Raises SyntaxError, ValueError or RecursionError."""
        self._tree = ast.parse(text.removeprefix("\ufeff"))
        self._file = file
        self._loops: dict[CodeType, list[Loop]] = {}

    def loops(self, code: CodeType) -> list[Loop]:
        """The loops of a function of the program, without those of functions inside it."""
        if code not in self._loops:
            nodes = _own_nodes(self.body(code))
            self._loops[code] = [_read_loop(node) for node in nodes if isinstance(node, ast.While)]
        return self._loops[code]

    def body(self, code: CodeType) -> list[ast.stmt]:
        """The statements of a function; none where it is not the program's, or suspends itself."""
        if code.co_filename != self._file or code.co_flags & _SUSPENDS:
            return []
        if code.co_name == "<module>":
            return self._tree.body
        functions = (node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef))
        found = [node for node in functions if (node.name, node.lineno) == (code.co_name, code.co_firstlineno)]
        return found[0].body if len(found) == 1 else []


def _own_nodes(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes within, but not those of the functions and classes that are defined there."""
    pending = list(statements)
    while pending:
        node = pending.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node
            pending += ast.iter_child_nodes(node)


def _read_loop(node: ast.While) -> Loop:
    nodes = [node.test, *node.body]
    anchors = _anchors([node])
    for part in (part for root in nodes for part in ast.walk(root)):
        if isinstance(part, (*_SIMPLE, ast.expr)) and (isinstance(part, _SCOPES) or len(_lines(part)) > 1):
            anchors -= {*_lines(part)}
    return Loop(nodes, node.lineno, max(_lines(node.body[-1])), frozenset(anchors))


def _anchors(statements: Iterable[ast.stmt]) -> set[int]:
    """The lines of statements that only `if` and `while` stand around: all others keep something on the stack."""
    lines = set()
    for statement in statements:
        if isinstance(statement, ast.If | ast.While):
            if statement.lineno == statement.test.lineno:
                lines.add(statement.lineno)
            lines |= _anchors(statement.body) | (_anchors(statement.orelse) if isinstance(statement, ast.If) else set())
        elif isinstance(statement, _SIMPLE):
            lines.add(statement.lineno)
    return lines


def _lines(node: Any) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def read(nodes: Iterable[ast.AST]) -> Reading:
    """Read code that may be run any number of times. Raises OpenLoopError where it does more than compute."""
    found = [node for root in nodes for node in ast.walk(root)]
    for node in found:
        _check(node)
    walks = [node for node in found if isinstance(node, (ast.For, *_SCOPES))]
    targets = [node.target for node in found if isinstance(node, ast.comprehension)]
    return Reading(
        names=_names(found),
        inner_names=_names(node for target in targets for node in ast.walk(target)),
        changes_sets=any(map(_may_change_set, found)),
        changes_dicts=any(map(_may_change_dict, found)),
        walks=bool(walks),
        changes_on_walk=any(_may_change_dict(node) for walk in walks for node in ast.walk(walk)),
        catches=any(isinstance(node, ast.Try) for node in found),
    )


def _check(node: ast.AST) -> None:
    if not isinstance(node, _CLOSED):
        raise OpenLoopError
    if isinstance(node, ast.Attribute) and not (isinstance(node.ctx, ast.Load) and node.attr in _ATTRIBUTES):
        raise OpenLoopError
    if isinstance(node, ast.Name) and node.id.startswith("__"):  # in a class it stands for another name
        raise OpenLoopError
    if isinstance(node, ast.Compare):
        _check_identity(node)


def _names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name))


def _may_change_set(node: ast.AST) -> bool:
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, _SET_OPERATORS)
    return isinstance(node, ast.Attribute) and node.attr in _SET_CHANGES


def _may_change_dict(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.BitOr)
    return isinstance(node, ast.Attribute) and node.attr in _DICT_CHANGES


def _check_identity(node: ast.Compare) -> None:
    """Only of None, True and False is there one object each: equal values need not be identical."""
    operands = [node.left, *node.comparators]
    for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
        if isinstance(operator, ast.Is | ast.IsNot) and not (_is_single(left) or _is_single(right)):
            raise OpenLoopError


def _is_single(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def sums(loop: Loop) -> set[str]:
    """The names that a loop adds to, and uses for nothing else: what they hold decides nothing, if it is a number."""
    found = [node for root in loop.nodes for node in ast.walk(root)]
    uses = [node.id for node in found if isinstance(node, ast.Name)]
    own: list[str] = []
    for node in found:
        if isinstance(node, ast.AugAssign) and isinstance(node.op, _SUM_OPERATORS):
            own += [node.target.id] if isinstance(node.target, ast.Name) else []
        elif isinstance(node, ast.Assign):
            own += _summed(node)
    return {name for name in own if uses.count(name) == own.count(name)}


def _summed(node: ast.Assign) -> list[str]:
    """The two uses of x in `x = x + y`."""
    match node:
        case ast.Assign(targets=[ast.Name(target)], value=ast.BinOp(left=ast.Name(name), op=operator)):
            return [name, name] if name == target and isinstance(operator, _SUM_OPERATORS) else []
    return []
