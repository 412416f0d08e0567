"""Benchmarks: sets of problems and their sources, one module per benchmark."""

from benchmarks.problem import Benchmark, BenchmarkError, Problem

__all__ = ["Benchmark", "BenchmarkError", "Problem"]
