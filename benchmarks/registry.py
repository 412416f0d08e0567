"""From what a user writes after --benchmark to a benchmark."""

import difflib
from importlib import import_module
from pathlib import Path

from benchmarks.errata import with_errata
from benchmarks.jsonl import JsonlBenchmark
from benchmarks.problem import Benchmark, BenchmarkError

SHIPPED = {
    "humaneval": "benchmarks.humaneval:HumanEval",
    "mbpp": "benchmarks.mbpp:Mbpp",
    "mbpp-sanitized": "benchmarks.mbpp:MbppSanitized",
    "humaneval-plus": "benchmarks.evalplus:HumanEvalPlus",
    "mbpp-plus": "benchmarks.evalplus:MbppPlus",
    "apps": "benchmarks.apps:Apps",
    "livecodebench": "benchmarks.livecodebench:LiveCodeBench",
    "mini": "benchmarks.mini:Mini",
    "mini-programs": "benchmarks.mini_programs:MiniPrograms",
    "mini-programs-js": "benchmarks.mini_programs:MiniProgramsJs",
}
"""Name -> where the class is. Imported when asked for, so that a name costs nothing."""

READ_A_FILE = frozenset({"mbpp", "mbpp-sanitized", "humaneval-plus", "mbpp-plus", "apps", "livecodebench"})


def open_benchmark(name: str, *, errata: bool = True) -> Benchmark:
    """Return the benchmark called `name`; one of ours with its known wrong problems mended, but for `errata=False`.

    A shipped name, `NAME:FILE` (its data in a file), `FILE.jsonl`, `MAPPING.toml` (a data set of the hub), `FILE.py`
    or `package.module` (code, with `:NAME` for a class or object in it), or a name that an installed package offers.
    Raises BenchmarkError, suggesting the nearest name, where there is none.
    """
    if name.endswith((".jsonl", ".jsonl.gz")) and ":" not in name:
        return JsonlBenchmark(Path(name))
    if name.endswith(".toml"):
        from benchmarks.mapping import MappedBenchmark

        return MappedBenchmark(Path(name))
    kind, _, file = name.partition(":")
    if kind in SHIPPED:
        shipped = _open_shipped(kind, file)
        return with_errata(shipped) if errata else shipped
    return _open_foreign(name)


def benchmark_names() -> list[str]:
    """Every name there is: ours, and those of installed packages."""
    from benchmarks.plugins import plugin_names

    return [*SHIPPED, *(name for name in plugin_names() if name not in SHIPPED)]


def _open_shipped(kind: str, file: str) -> Benchmark:
    module, _, attribute = SHIPPED[kind].partition(":")
    make = getattr(import_module(module), attribute)
    if file and kind not in READ_A_FILE:
        raise BenchmarkError(f"{kind} brings its own data and reads no file: write --benchmark {kind}.")
    benchmark: Benchmark = make(file) if file else make()
    return benchmark


def _open_foreign(name: str) -> Benchmark:
    from benchmarks.plugins import open_entry_point, open_plugin

    module, _, attribute = name.partition(":")
    if Path(module).suffix not in ("", ".py") and Path(module).is_file():
        raise BenchmarkError(f"{module} is no benchmark: a file of problems ends in .jsonl, .jsonl.gz, .toml or .py.")
    if module.endswith(".py") or attribute.isidentifier() or "." in module.strip("."):
        return open_plugin(name)
    benchmark = open_entry_point(name)
    if benchmark is None:
        raise BenchmarkError(_unknown(name))
    return benchmark


def _unknown(name: str) -> str:
    names = benchmark_names()
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(names))}, FILE.jsonl and FILE.py."
    return f"There is no benchmark called {name!r}. {hint}"
