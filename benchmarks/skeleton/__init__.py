"""A working benchmark to start from: a module and its test."""

from pathlib import Path

from benchmarks.problem import BenchmarkError


def write_skeleton(name: str, folder: Path) -> list[Path]:
    """Write `NAME.py` and `test_NAME.py`. Raises BenchmarkError for an invalid name, and where a file exists."""
    if not name.isidentifier() or not name.islower():
        raise BenchmarkError(f"{name!r} is not a module name; use lower-case letters, digits and underscores.")
    files = {
        folder / f"{name}.py": _template("benchmark.txt", name),
        folder / f"test_{name}.py": _template("test.txt", name),
    }
    if existing := [path for path in files if path.exists()]:
        raise BenchmarkError(f"{existing[0]} exists; choose another name, or remove it.")
    try:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(f"{folder} is not writable: {error.strerror or error}.") from error
    return list(files)


def _template(file: str, name: str) -> str:
    return Path(__file__).with_name(file).read_text(encoding="utf-8").replace("NAME", name)
