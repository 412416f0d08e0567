"""Tests that evaluate an answer (`eval`, `pickle.loads`) get the plain value that it describes, and nothing runs.

An answer that is evaluated for real is a program in the tests' process. Where the reference's answers need no more
than literals and containers, no answer does. Tests that need more run without this ("evaluating", see `job.Mode`).
"""

import builtins
from typing import Any, NoReturn

WORDS = ("eval", "exec", "compile", "pickle")
"""Tests without one of these evaluate nothing."""

_CALLS = ("set", "frozenset", "dict", "list", "tuple", "range", "int", "float", "str", "bytes", "bytearray", "complex")
_COLLECTIONS = ("Counter", "OrderedDict", "deque", "defaultdict")
_NODES = frozenset(
    {"Expression", "Constant", "List", "Tuple", "Set", "Dict", "Load", "Name", "Call", "keyword", "Starred", "IfExp"}
    | {"UnaryOp", "UAdd", "USub", "Not", "Invert", "BinOp", "Add", "Sub", "Mult", "Div", "FloorDiv", "Mod", "BoolOp"}
    | {"And", "Or", "Compare", "Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "In", "NotIn", "Is", "IsNot", "Subscript"}
    | {"Slice"}
)
_CLASSES = {
    "builtins": {*_CALLS, "bool", "slice"},
    "collections": set(_COLLECTIONS),
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "_codecs": {"encode"},
    "uuid": {"UUID"},
}


class NotPlainError(ValueError):
    """An answer that describes more than a plain value."""


def guarded_builtins() -> dict[str, Any]:
    """The tests' built-in functions: those that would run an answer do not."""
    return {**vars(builtins), "eval": evaluate, "exec": _refuse, "compile": _refuse}


def guard_pickle() -> None:
    """Make pickles plain values, in this process."""
    import io
    import pickle

    class PlainUnpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if name not in _CLASSES.get(module, ()):
                raise NotPlainError(f"a pickle of {module}.{name} is no plain value")
            return super().find_class(module, name)

    def loads(data: bytes, /, **options: Any) -> Any:
        return PlainUnpickler(io.BytesIO(data), **options).load()

    def load(file: Any, /, **options: Any) -> Any:
        return PlainUnpickler(file, **options).load()

    pickle.loads, pickle.load, pickle.Unpickler = loads, load, PlainUnpickler  # type: ignore[misc,assignment]


def evaluate(source: Any, *_scopes: Any) -> Any:
    """The plain value that an expression describes. Raises NotPlainError, or what `eval` raises."""
    import ast
    import collections

    text = source if isinstance(source, str | bytes) else _refuse()
    tree = ast.parse(text.strip(), mode="eval")
    scope: dict[str, Any] = {name: vars(builtins)[name] for name in _CALLS}
    scope |= {name: vars(collections)[name] for name in _COLLECTIONS}
    scope |= {"inf": float("inf"), "nan": float("nan"), "__builtins__": {}}
    for node in ast.walk(tree):
        if type(node).__name__ not in _NODES or (isinstance(node, ast.Name) and node.id not in scope):
            raise NotPlainError("the answer that is evaluated is no plain value")
    return eval(compile(tree, "<answer>", "eval", dont_inherit=True), scope)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise NotPlainError("an answer may not be run")
