"""Which function a problem asks for, where its data does not say."""

import ast
import warnings
from collections.abc import Sequence


def tested_function(tests: Sequence[str], code: str) -> str:
    """The function that the tests call: of those the reference defines, the last that the first test names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some references hold escapes such as "\\d" in plain strings
        names = {node.id for node in ast.walk(ast.parse(tests[0])) if isinstance(node, ast.Name)}
        body = ast.parse(code).body
    defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return next((name for name in reversed(defined) if name in names), defined[-1] if defined else "")
