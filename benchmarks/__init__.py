"""What is asked: problems, and where they come from. One module a benchmark."""

from benchmarks.problem import Benchmark, BenchmarkError, Problem

__all__ = ["Benchmark", "BenchmarkError", "Problem"]
