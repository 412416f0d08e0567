"""The entry point of a problem whose data does not name it."""

import ast
import warnings
from collections.abc import Sequence


def tested_function(tests: Sequence[str], code: str) -> str:
    """Return the function that the tests call: of those the reference defines, the last that the first test names.

    Raises SyntaxError where tests or reference do not compile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some references hold escapes such as "\\d" in plain strings
        names = {node.id for node in ast.walk(ast.parse(tests[0])) if isinstance(node, ast.Name)}
        body = ast.parse(code).body
    defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return next((name for name in reversed(defined) if name in names), defined[-1] if defined else "")
