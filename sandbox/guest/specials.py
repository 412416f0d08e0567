"""The operations that Python spells with special methods, by the method's name: done here, or asked from afar."""

import operator
from collections.abc import Callable
from typing import Any

Operation = Callable[..., Any]


def _reflected(operation: Operation) -> Operation:
    return lambda value, other: operation(other, value)


def _method(name: str) -> Operation:
    return lambda value, *operands: getattr(type(value), name)(value, *operands)


_BINARY = "add sub mul truediv floordiv mod pow lshift rshift matmul"
_BITS = {"and": operator.and_, "or": operator.or_, "xor": operator.xor, "divmod": divmod}
_PAIRS = {**{name: getattr(operator, name) for name in _BINARY.split()}, **_BITS}

OPERATIONS: dict[str, Operation] = {
    **{f"__{name}__": operation for name, operation in _PAIRS.items()},
    **{f"__r{name}__": _reflected(operation) for name, operation in _PAIRS.items()},
    **{f"__i{name}__": getattr(operator, f"i{name}") for name in (*_BINARY.split(), "and", "or", "xor")},
    **{f"__{name}__": getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "neg", "pos")},
    "__invert__": operator.invert,
    "__abs__": abs,
    "__contains__": operator.contains,
    "__getitem__": operator.getitem,
    "__setitem__": operator.setitem,
    "__delitem__": operator.delitem,
    "__len__": len,
    "__iter__": iter,
    "__reversed__": reversed,
    "__bool__": bool,
    "__str__": str,
    "__repr__": repr,
    "__bytes__": bytes,
    "__format__": format,
    "__hash__": hash,
    "__int__": int,
    "__float__": float,
    "__complex__": complex,
    "__index__": operator.index,
    "__round__": round,
    "__dir__": dir,
    "__enter__": _method("__enter__"),
    "__exit__": _method("__exit__"),
    "__floor__": _method("__floor__"),
    "__ceil__": _method("__ceil__"),
    "__trunc__": _method("__trunc__"),
    "__copy__": _method("__copy__"),
    "__fspath__": _method("__fspath__"),
    "__instancecheck__": lambda value, other: isinstance(other, value),
    "__subclasscheck__": lambda value, other: issubclass(other, value),
}
"""The operation of each special method. Its operands follow the object."""

ALWAYS = frozenset({"__eq__", "__ne__", "__str__", "__repr__", "__hash__", "__bool__", "__format__", "__dir__"})
"""The methods of every object, also where its class does not define them."""

_known: dict[type, list[str]] = {}


def specials_of(value: object) -> list[str]:
    """The names of the special methods of an object's class, without those that every object has."""
    kind = type(value)
    names = _known.get(kind)
    if names is None:
        names = [name for name in OPERATIONS if name not in ALWAYS and name not in OF_TYPES and _found(kind, name)]
        if isinstance(value, type):
            names += OF_TYPES
        if callable(value):
            names.append("__call__")
        _known[kind] = names
    return names


def overridden(kind: type, base: type) -> list[str]:
    """The special methods that `kind` does otherwise than its base does."""
    return [name for name in OPERATIONS if name not in OF_TYPES and _found(kind, name) is not _found(base, name)]


def defines(kind: type, name: str) -> bool:
    """Return whether a class, or a base of it other than `object`, says how a special method is done."""
    return _found(kind, name) is not vars(object).get(name)


def _found(kind: type, name: str) -> Any:
    """The method as Python finds it: in the classes, and not in their metaclass."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


OF_TYPES = ("__instancecheck__", "__subclasscheck__")
