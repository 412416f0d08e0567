"""A new benchmark to start from: a module and its test, that work as they are."""

from pathlib import Path

from benchmarks.problem import BenchmarkError


def write_skeleton(name: str, folder: Path) -> list[Path]:
    """Write `NAME.py` and `test_NAME.py`. Raises BenchmarkError where the name is no module's or a file is there."""
    if not name.isidentifier() or not name.islower():
        raise BenchmarkError(f"{name!r} cannot name a module: use small letters, digits and underscores.")
    made = {
        folder / f"{name}.py": _template("benchmark.txt", name),
        folder / f"test_{name}.py": _template("test.txt", name),
    }
    if there := [path for path in made if path.exists()]:
        raise BenchmarkError(f"{there[0]} is there already: choose another name, or remove it.")
    try:
        for path, text in made.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    return list(made)


def _template(file: str, name: str) -> str:
    return Path(__file__).with_name(file).read_text(encoding="utf-8").replace("NAME", name)
