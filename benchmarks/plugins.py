"""Things that other people wrote: found by the path of a file, by a dotted path, or by an entry point's name."""

import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.problem import BenchmarkError, Problem

ENTRY_POINTS = "qprobe.benchmarks"


def load(path: str) -> Any:  # noqa: ANN401 - whatever stands there
    """What stands at `FILE.py`, `FILE.py:NAME`, `package.module` or `package.module:NAME`.

    Raises ImportError, AttributeError, OSError or SyntaxError where nothing does.
    """
    module, _, attribute = path.partition(":")
    found = _load_file(Path(module)) if module.endswith(".py") else import_module(module)
    return getattr(found, attribute) if attribute else found


def _load_file(path: Path) -> ModuleType:
    """The module in a file that need not be on Python's path, imported once."""
    name = f"{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class PluginBenchmark:
    """Somebody else's benchmark: a module, class or object that has `name`, `problems` and `program`.

    What it returns is checked, and an exception out of it becomes one sentence that says where.
    """

    def __init__(self, where: str, found: Any) -> None:  # noqa: ANN401
        """`found` stands at `where`. Raises BenchmarkError where it is no benchmark."""
        self._where = where
        self._inner = self._ask(found) if isinstance(found, type) else found
        for part in ("problems", "program"):
            if not callable(getattr(self._inner, part, None)):
                raise BenchmarkError(f"{where} is no benchmark: it has no function {part}().")
        if not isinstance(getattr(self._inner, "name", None), str):
            raise BenchmarkError(f"{where} is no benchmark: it has no name, which is a string.")
        self.name: str = self._inner.name
        self.licence = getattr(self._inner, "licence", "unknown")

    def problems(self) -> Sequence[Problem]:
        """All problems. Raises BenchmarkError where they are none, or share an id."""
        found = list(self._ask(self._inner.problems))
        if not found or not all(isinstance(each, Problem) for each in found):
            raise BenchmarkError(f"{self._where}: problems() must return a sequence of benchmarks.Problem, not empty.")
        seen: set[str] = set()
        for problem in found:
            if problem.id in seen:
                raise BenchmarkError(f"{self._where}: two problems have the id {problem.id!r}.")
            seen.add(problem.id)
        return found

    def program(self, problem: Problem, prompt: str, completion: str) -> str:
        """The whole program to run."""
        made = self._ask(self._inner.program, problem, prompt, completion)
        if not isinstance(made, str):
            raise BenchmarkError(f"{self._where}: program() must return a string, not {type(made).__name__}.")
        return made

    def fetch(self) -> Path | None:
        """Keep the data on this machine, where the benchmark knows how."""
        bring = getattr(self._inner, "fetch", None)
        return self._ask(bring) if bring else None

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        try:
            return function(*arguments)
        except BenchmarkError:
            raise
        except Exception as error:
            raise BenchmarkError(f"{self._where} failed: {_story(error)}.") from error


def open_plugin(path: str) -> PluginBenchmark:
    """The benchmark at a path. Raises BenchmarkError where it cannot be imported."""
    try:
        return PluginBenchmark(path, load(path))
    except FileNotFoundError as error:
        raise BenchmarkError(f"{path.partition(':')[0]}: there is no such file.") from error
    except BenchmarkError:
        raise
    except Exception as error:
        raise BenchmarkError(f"The benchmark {path!r} cannot be imported: {_story(error)}.") from error


def _story(error: Exception) -> str:
    """What went wrong and where, in the last lines of other people's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename if trace else "<"  # "<frozen importlib ...>": Python's own, no place
    place = "" if file.startswith("<") or trace is None else f" (line {trace.tb_lineno} of {file})"
    return f"{type(error).__name__}: {error}{place}"


def plugin_names() -> list[str]:
    """The names that installed packages offer."""
    return sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))


def open_entry_point(name: str) -> PluginBenchmark | None:
    """The benchmark that an installed package offers under this name."""
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return open_plugin(entry.value)
    return None
