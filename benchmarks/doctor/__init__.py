"""The doctor: is a benchmark fit to be used? References pass, worthless programs fail, prompts give nothing away."""

from benchmarks.doctor.check import Check, Finding
from benchmarks.doctor.checkup import examine

__all__ = ["Check", "Finding", "examine"]
