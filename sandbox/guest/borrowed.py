"""The program's side of what the tests hand to it: their functions as real functions, by whose signature it can go."""

import keyword
import types
from collections.abc import Callable
from typing import Any

_VARARGS, _VARKEYWORDS = 0x04, 0x08  # flags of code objects: *args, **kwargs

Signature = list[Any]
"""JSON: [parameters before "/", parameters, keyword-only ones, *args, **kwargs, defaults, keyword defaults]."""


def signature_of(function: types.FunctionType, pack: Callable[[Any], Any]) -> Signature:
    """The parameters of a function. `pack` makes JSON of a default, or raises TypeError."""
    code = function.__code__
    names = list(code.co_varnames)
    positional, named = names[: code.co_argcount], names[code.co_argcount :]
    keywords, rest = named[: code.co_kwonlyargcount], named[code.co_kwonlyargcount :]
    star = rest.pop(0) if code.co_flags & _VARARGS else ""
    double = rest.pop(0) if code.co_flags & _VARKEYWORDS else ""
    defaults = [_packed(value, pack) for value in function.__defaults__ or ()]
    named_defaults = {name: _packed(value, pack) for name, value in (function.__kwdefaults__ or {}).items()}
    return [code.co_posonlyargcount, positional, keywords, star, double, defaults, named_defaults]


def _packed(value: Any, pack: Callable[[Any], Any]) -> list[Any]:
    try:
        return [pack(value)]
    except TypeError:
        return []


class _Default:
    """Stands for a default that cannot cross: the tests' function finds it itself."""

    def __repr__(self) -> str:
        return "..."


_DEFAULT: Any = _Default()


def function_like(
    name: str, doc: Any, signature: Signature, call: Callable[..., Any], unpack: Callable[[Any], Any]
) -> types.FunctionType:
    """A function with that signature, which passes its arguments to `call`."""
    only, positional, keywords, star, double, defaults, named_defaults = signature
    names = [*positional, *keywords, *filter(None, (star, double))]
    if not all(text.isidentifier() and not keyword.iskeyword(text) for text in names):
        positional, keywords, star, double, defaults, named_defaults = [], [], "args", "named", [], {}
    values = [unpack(packed[0]) if packed else _DEFAULT for packed in defaults]
    first = len(positional) - len(values)
    parameters = [f"{text}=defaults[{i - first}]" if i >= first else text for i, text in enumerate(positional)]
    if only and positional:
        parameters.insert(only, "/")
    parameters += [f"*{star}"] if star else ["*"] if keywords else []
    parameters += [f"{text}=named_defaults[{text!r}]" if text in named_defaults else text for text in keywords]
    parameters += [f"**{double}"] if double else []
    passed = [*positional, *([f"*{star}"] if star else [])]
    named = [*(f"{text!r}: {text}" for text in keywords), *([f"**{double}"] if double else [])]
    source = f"lambda {', '.join(parameters)}: call([{', '.join(passed)}], {{{', '.join(named)}}})"

    def pass_on(given: list[Any], given_by_name: dict[str, Any]) -> Any:
        while given and given[-1] is _DEFAULT:
            given.pop()
        return call(*given, **{key: value for key, value in given_by_name.items() if value is not _DEFAULT})

    fixed = {key: unpack(packed[0]) if packed else _DEFAULT for key, packed in named_defaults.items()}
    function: types.FunctionType = eval(source, {"call": pass_on, "defaults": values, "named_defaults": fixed})
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__module__ = "tests"
    return function
