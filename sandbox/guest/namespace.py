"""The tests' global names: their own, the reference's, and of the program's only what it was asked for."""

import builtins
from importlib import import_module
from types import CodeType
from typing import Any

from .purity import MODULES
from .tests_peer import ANYWHERE, TestsPeer


class Namespace(dict[str, Any]):
    """A dict of globals that looks for a name where it belongs, when it is first used."""

    def __init__(self, peer: TestsPeer, job: dict[str, Any], reference: CodeType | None) -> None:
        """`reference` is the reference solution's code, where the tests may use names of it."""
        super().__init__(__name__="tests", __builtins__=builtins)
        self._peer = peer
        self._asked = frozenset(job["asked"])
        self._entry_point = job["entry_point"]
        self._asks_classes = job["asks_classes"]
        self._reference = reference
        self._reference_names: dict[str, Any] | None = None
        self._star = "import *" in job["reference"]
        self.used_reference = False

    def __missing__(self, name: str) -> Any:
        if name == self._entry_point:  # never Python's own, where it is named like a built-in function
            self._peer.touched = True
            raise NameError(f"name {name!r} is not defined")
        value = self[name] = self._find(name)
        return value

    def _find(self, name: str) -> Any:
        if name in self._asked:
            return self._ask(name)
        if self._reference is not None and self._may_bind(self._reference, name):
            names = self._run_reference(self._reference)
            if name in names:
                self.used_reference = True
                value = names[name]
                own_class = isinstance(value, type) and value.__module__ == "tests"
                return self._ask(name) if own_class and self._asks_classes else value
        if hasattr(builtins, name):
            raise KeyError(name)
        # A module that the tests forgot to import must not come from the program: `math.isclose` would be its own.
        if name in MODULES or name == "sys":
            return import_module(name)
        if ANYWHERE in self._asked:
            return self._ask(name)
        raise KeyError(name)

    def _ask(self, name: str) -> Any:
        return self._peer.ask("name", None, name, label=name)

    def _may_bind(self, reference: CodeType, name: str) -> bool:
        """Return whether the reference may bind a name: few references bind a built-in function's."""
        return not hasattr(builtins, name) or self._star or name in reference.co_names

    def _run_reference(self, reference: CodeType) -> dict[str, Any]:
        if self._reference_names is None:
            self._reference_names = {"__name__": "tests"}
            try:
                exec(reference, self._reference_names)
            except Exception:  # noqa: BLE001 - then the tests have what it bound so far
                return self._reference_names
        return self._reference_names
