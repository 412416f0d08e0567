"""Purity: the proof that tests leave nothing behind in the process that runs them.

Tests are a benchmark's own and not hostile. But some hand what a program answered to `eval`, and some patch modules:
after those, the next program must not meet the same examiner.
"""

import sys
from functools import cache, lru_cache
from types import CodeType

MODULES = frozenset(
    {"bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools"}
    | {"json", "math", "operator", "random", "re", "statistics", "string", "typing"}
)
"""Modules that tests may use and leave as they were."""

_WILD_NAMES = (sys.stdlib_module_names - MODULES) | frozenset(
    {"eval", "exec", "compile", "open", "input", "breakpoint", "globals", "locals", "vars", "getattr", "setattr"}
    | {"delattr", "type", "setcontext"}
)
_HARMLESS_DUNDERS = frozenset({"__name__", "__len__", "__doc__"})


@cache
def _opcode(name: str) -> int:
    import opcode  # by the examiner only: what the zygote holds every fork pays for

    return opcode.opmap[name]


@lru_cache(maxsize=32)
def is_pure(code: CodeType) -> bool:
    """Return True where `code` names nothing that could change the process it runs in."""
    names = frozenset(code.co_names)
    if names & _WILD_NAMES or any(name.startswith("__") for name in names - _HARMLESS_DUNDERS):
        return False
    # Caches between the instructions may look like any opcode: then the tests count as wild, which is only slower.
    if not {_opcode("STORE_ATTR"), _opcode("DELETE_ATTR")}.isdisjoint(code.co_code[::2]):
        return False
    if not _imports(code) <= MODULES:
        return False
    return all(is_pure(inner) for inner in code.co_consts if isinstance(inner, CodeType))


def _imports(code: CodeType) -> frozenset[str]:
    """The top-level modules that `code` imports; "" for one whose name cannot be told."""
    wanted, extends = _opcode("IMPORT_NAME"), _opcode("EXTENDED_ARG")
    instructions = code.co_code
    if wanted not in instructions[::2]:
        return frozenset()
    names, high = [], 0
    for operation, low in zip(instructions[::2], instructions[1::2], strict=True):
        argument = high | low
        high = argument << 8 if operation == extends else 0  # of the 257th name on, the rest stands before
        if operation == wanted:
            names.append(code.co_names[argument] if argument < len(code.co_names) else "")
    return frozenset(name.partition(".")[0] for name in names)
