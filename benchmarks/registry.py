"""Open a benchmark by the name that a user gives as --benchmark."""

from importlib import import_module
from pathlib import Path

from benchmarks.choices import unknown
from benchmarks.data_files import user_path
from benchmarks.errata import with_errata
from benchmarks.jsonl import JsonlBenchmark
from benchmarks.problem import Benchmark, BenchmarkError

SHIPPED = {
    "humaneval": "benchmarks.humaneval:HumanEval",
    "mbpp": "benchmarks.mbpp:Mbpp",
    "mbpp-sanitized": "benchmarks.mbpp:MbppSanitized",
    "humaneval-plus": "benchmarks.evalplus:HumanEvalPlus",
    "mbpp-plus": "benchmarks.evalplus:MbppPlus",
    "gsm8k": "benchmarks.gsm8k:Gsm8k",
    "apps": "benchmarks.apps:Apps",
    "livecodebench": "benchmarks.livecodebench:LiveCodeBench",
    "mini": "benchmarks.mini:Mini",
    "mini-programs": "benchmarks.mini_programs:MiniPrograms",
    "mini-programs-js": "benchmarks.mini_programs:MiniProgramsJs",
}
"""Name -> place of the class, which is imported when it is opened."""

WITH_FILE = frozenset({"mbpp", "mbpp-sanitized", "humaneval-plus", "mbpp-plus", "gsm8k", "apps", "livecodebench"})
FILES = ("FILE.jsonl", "MAPPING.toml", "FILE.py")


def open_benchmark(name: str, *, errata: bool = True) -> Benchmark:
    """Return the benchmark called `name`; a shipped one with its errata applied, unless `errata=False`.

    A shipped name, `NAME:FILE` (its data in a file), `FILE.jsonl`, `MAPPING.toml` (a data set of the hub), `pairs:SET`
    (the prompts of a pair set), `FILE.py` or `package.module` (code, with `:NAME` for a class or object in it), or the
    name of a benchmark in an installed package. Raises BenchmarkError, suggesting the nearest name, for any other.
    """
    if name.startswith("pairs:"):
        from benchmarks.pairs.prompts import PairPrompts
        from benchmarks.pairs.registry import open_pairs

        return PairPrompts(open_pairs(name.removeprefix("pairs:")))
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
    """Return the names of all benchmarks: the shipped ones, then those of installed packages."""
    from benchmarks.plugins import plugin_names

    return [*SHIPPED, *(name for name in plugin_names() if name not in SHIPPED)]


def _open_shipped(kind: str, file: str) -> Benchmark:
    module, _, attribute = SHIPPED[kind].partition(":")
    make = getattr(import_module(module), attribute)
    if file and kind not in WITH_FILE:
        raise BenchmarkError(f"{kind} includes its data and reads no file; write --benchmark {kind}.")
    benchmark: Benchmark = make(file) if file else make()
    return benchmark


def _open_foreign(name: str) -> Benchmark:
    from benchmarks.plugins import open_entry_point, open_plugin

    module, _, attribute = name.partition(":")
    if Path(module).suffix not in ("", ".py") and _is_file(module):
        raise BenchmarkError(
            f"{module} is not a benchmark: rename a file of problems to .jsonl, .jsonl.gz, .toml or .py."
        )
    if module.endswith(".py") or attribute.isidentifier() or "." in module.strip("."):
        return open_plugin(name)
    benchmark = open_entry_point(name)
    if benchmark is None:
        raise BenchmarkError(unknown("benchmark", name, [*sorted(benchmark_names()), *FILES]))
    return benchmark


def _is_file(name: str) -> bool:
    try:
        return user_path(name).is_file()
    except OSError:  # in a folder that the user may not read
        return False
