"""Benchmarks in code outside this package: in a file, at a dotted path, or behind an entry point."""

import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.data_files import check_well_formed, user_path
from benchmarks.problem import BenchmarkError, Problem

ENTRY_POINTS = "qprobe.benchmarks"
TEXTS = ("id", "prompt", "entry_point", "tests", "solution", "setup", "split", "language", "base_tests")


def load(path: str) -> Any:  # noqa: ANN401 - a plug-in's object
    """Return the object at `FILE.py`, `FILE.py:NAME`, `package.module` or `package.module:NAME`.

    Raises ImportError, AttributeError, OSError or SyntaxError where it cannot be loaded.
    """
    name, _, attribute = path.partition(":")
    module = _load_file(user_path(name)) if name.endswith(".py") else import_module(name)
    return getattr(module, attribute) if attribute else module


def _load_file(path: Path) -> ModuleType:
    """Import a file, once, from outside of Python's path."""
    name = f"{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class PluginBenchmark:
    """A benchmark from outside: a module, class or object that has `name`, `problems` and `program`.

    Its results are checked, and an exception in it becomes one sentence that names the place.
    """

    def __init__(self, where: str, plugin: Any) -> None:  # noqa: ANN401
        """Wrap the `plugin` loaded from `where`. Raises BenchmarkError where it is not a benchmark."""
        self._where = where
        self._inner = self._call(plugin) if isinstance(plugin, type) else plugin
        for part in ("problems", "program"):
            if not callable(getattr(self._inner, part, None)):
                raise BenchmarkError(f"{where} is not a benchmark: it has no function {part}().")
        if not isinstance(getattr(self._inner, "name", None), str):
            raise BenchmarkError(f"{where} is not a benchmark: it has no string `name`.")
        self.name: str = self._inner.name
        self.licence = getattr(self._inner, "licence", "unknown")

    @property
    def left_out(self) -> tuple[str, ...]:
        """The rows that could not be read."""
        return tuple(getattr(self._inner, "left_out", ()))

    def problems(self) -> Sequence[Problem]:
        """All problems. Raises BenchmarkError where one is not a problem that can be stored, or two share an id."""
        problems: list[Problem] = self._call(lambda: list(self._inner.problems()))
        if not problems or not all(isinstance(problem, Problem) for problem in problems):
            raise BenchmarkError(f"{self._where}: problems() must return a non-empty sequence of benchmarks.Problem.")
        ids: set[str] = set()
        for problem in problems:
            if problem.id in ids:
                raise BenchmarkError(f"{self._where}: two problems have the id {problem.id!r}.")
            ids.add(problem.id)
            self._check_texts(problem)
        return problems

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The whole program to run."""
        source = self._call(self._inner.program, problem, prompt, completion)
        if not isinstance(source, str):
            raise BenchmarkError(f"{self._where}: program() must return a string, not {type(source).__name__}.")
        return source

    def fetch(self) -> Path | None:
        """Cache the data on this machine, where the benchmark has a `fetch`."""
        fetch = getattr(self._inner, "fetch", None)
        return self._call(fetch) if fetch else None

    def _check_texts(self, problem: Problem) -> None:
        try:
            for name in TEXTS:
                check_well_formed(name, getattr(problem, name))
        except (ValueError, AttributeError) as error:
            reason = error if isinstance(error, ValueError) else "a field that is a string holds something else"
            raise BenchmarkError(f"{self._where}: the problem {problem.id!r}: {reason}.") from error

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        try:
            return function(*arguments)
        except BenchmarkError:
            raise
        except (Exception, SystemExit) as error:
            raise BenchmarkError(f"{self._where} failed: {_describe(error)}.") from error


def open_plugin(path: str) -> PluginBenchmark:
    """Return the benchmark at a path. Raises BenchmarkError where it cannot be imported."""
    try:
        return PluginBenchmark(path, load(path))
    except FileNotFoundError as error:
        raise BenchmarkError(f"{path.partition(':')[0]}: no such file.") from error
    except BenchmarkError:
        raise
    except (Exception, SystemExit) as error:  # a script without `if __name__ == "__main__"` may exit
        raise BenchmarkError(f"The benchmark {path!r} cannot be imported: {_describe(error)}.") from error


def _describe(error: BaseException) -> str:
    """The error, and its place in the plug-in's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename if trace else "<"  # "<frozen importlib ...>" is in Python itself
    place = "" if file.startswith("<") or trace is None else f" (line {trace.tb_lineno} of {file})"
    return f"{type(error).__name__}: {error}{place}"


def plugin_names() -> list[str]:
    """Return the names of the benchmarks in installed packages."""
    return sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))


def open_entry_point(name: str) -> PluginBenchmark | None:
    """Return the benchmark of this name in an installed package; None where no package has it."""
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return open_plugin(entry.value)
    return None
