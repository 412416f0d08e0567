"""Imports point one way: qprobe -> harness -> benchmarks -> sandbox, and inside harness from layer to layer."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ABOVE = {
    "sandbox": {"benchmarks", "harness", "qprobe", "tests", "scripts"},
    "benchmarks": {"harness", "qprobe", "tests", "scripts"},
    "harness": {"qprobe", "tests", "scripts"},
    "qprobe": {"tests", "scripts"},
    "scripts": {"tests"},
}
LAYERS = (
    "errors",
    "progress",
    "secrets",
    "stats",
    "models",
    "probes",
    "runs",
    "cluster",
    "finetuning",
    "rewards",
    "reports",
    "stages",
    "commands",
)
"""The parts of harness, the lowest first: each imports from those before it alone."""


def imported(path: Path, *, types: bool = True) -> Iterator[str]:
    """Names of the modules that a file imports, anywhere in it; without `types`, not those for annotations alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if not types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped |= {id(inner) for inner in ast.walk(node)}
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("package", ABOVE)
def test_imports_point_one_way(package: str):
    files = sorted((REPOSITORY / package).rglob("*.py"))
    assert files
    wrong = {
        str(path): upward
        for path in files
        if (upward := ABOVE[package] & {name.partition(".")[0] for name in imported(path)})
    }
    assert wrong == {}


def test_harness_is_made_of_layers():
    """Its top has the layers and no more, and no layer imports from one above it."""
    entries = {path.stem for path in (REPOSITORY / "harness").iterdir() if path.suffix in ("", ".py")} - {"__pycache__"}
    assert entries == {"__init__", "__main__", *LAYERS}
    level = {name: place for place, name in enumerate(LAYERS)}
    wrong = []
    for path in (REPOSITORY / "harness").rglob("*.py"):
        own = level.get(path.relative_to(REPOSITORY / "harness").with_suffix("").parts[0], len(LAYERS))
        modules = [name.split(".")[1] for name in imported(path, types=False) if name.startswith("harness.")]
        wrong += [f"{path.relative_to(REPOSITORY)} imports {part}" for part in modules if level.get(part, 0) > own]
    assert wrong == []


def test_no_modules_import_one_another_in_a_circle():
    files = [path for package in ("sandbox", "benchmarks", "harness") for path in (REPOSITORY / package).rglob("*.py")]
    modules = {module_of(path): path for path in files if "guest" not in path.parts}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        tops = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
        names = {f"{node.module}.{alias.name}" for node in tops for alias in node.names} | {str(n.module) for n in tops}
        graph[module] = {name for name in names if name in modules and not module.startswith(f"{name}.")} - {module}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_stages_without_a_tensor_load_no_torch():
    """It takes seconds that a look at a run need not wait for."""
    stages = [
        f"stages.{name}"
        for name in ("import_samples", "generate", "extract", "grade", "regrade", "export", "run", "preflight")
    ]
    modules = ", ".join(f"harness.{name}" for name in [*stages, "reports.build", "reports.compare", "commands.show"])
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
