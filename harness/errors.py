"""The errors that a user can fix; any other exception is a bug in qprobe.

QprobeError                 the base; its message is one sentence that says what to do
├── SandboxError            the sandbox cannot be used (sandbox/errors.py)
├── BenchmarkError          a benchmark cannot be used (benchmarks/problem.py)
└── ProbeError              a probe cannot be trained or used
"""

from benchmarks.problem import BenchmarkError
from sandbox.errors import QprobeError, SandboxError

__all__ = ["BenchmarkError", "ProbeError", "QprobeError", "SandboxError"]


class ProbeError(QprobeError):
    """A probe cannot be trained or used: too few problems, other vectors than its model's, a broken file."""
