"""The packages that qprobe is made of have common names: this makes them resolve to qprobe's own files."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PACKAGES = ("harness", "sandbox", "benchmarks")
ROOT = Path(__file__).resolve().parent.parent


class _OwnPackages(MetaPathFinder):
    """Finds qprobe's packages beside this one, before a `sandbox.py` in the user's folder is found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(ROOT)]) if fullname in PACKAGES else None


def claim_packages() -> None:
    """Make the names resolve to qprobe's packages. Raises ImportError where another module has one of them already."""
    for name in PACKAGES:
        file = getattr(sys.modules.get(name), "__file__", None)
        if name in sys.modules and (file is None or Path(file).resolve().parent != ROOT / name):
            raise ImportError(
                f"{file or name} was imported as {name!r}, a name that qprobe needs for its own package: "
                "rename that file, or import qprobe first."
            )
    if not any(isinstance(finder, _OwnPackages) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OwnPackages())
