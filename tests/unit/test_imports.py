"""Imports point one way: harness -> benchmarks -> sandbox."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FORBIDDEN = {"sandbox": {"benchmarks", "harness", "tests", "scripts"}, "benchmarks": {"harness", "tests", "scripts"}}


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package: str):
    files = sorted((REPOSITORY / package).rglob("*.py"))
    assert files
    wrong = {str(path): found for path in files if (found := FORBIDDEN[package] & set(imported(path)))}
    assert wrong == {}


def test_stages_without_a_tensor_load_no_torch():
    """It takes seconds, for which nobody who looks at a run should wait."""
    stages = [f"stages.{name}" for name in ("import_samples", "extract", "grade", "regrade", "export")]
    modules = ", ".join(f"harness.{name}" for name in [*stages, "reports.report", "reports.compare", "commands.show"])
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
