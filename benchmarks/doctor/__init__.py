"""The doctor checks a benchmark: references pass, worthless programs fail, prompts do not reveal the tests."""

from benchmarks.doctor.check import Check, Finding
from benchmarks.doctor.checkup import examine

__all__ = ["Check", "Finding", "examine"]
