"""The errors that a user can fix; any other exception is a bug in qprobe.

QprobeError                 the base; its message is one sentence that says what to do
├── SandboxError            the sandbox cannot be used (sandbox/errors.py)
├── BenchmarkError          a benchmark cannot be used (benchmarks/problem.py)
└── ProbeError              a probe cannot be trained or used
    ├── NoProbesError       a run has no probes
    ├── StaleProbesError    a run's probes are older than its verdicts or vectors
    └── OneSidedError       the training problems lack a pass or a failure
"""

from benchmarks.problem import BenchmarkError
from sandbox.errors import QprobeError, SandboxError

__all__ = [
    "BenchmarkError",
    "NoProbesError",
    "OneSidedError",
    "ProbeError",
    "QprobeError",
    "SandboxError",
    "StaleProbesError",
]


class ProbeError(QprobeError):
    """A probe cannot be trained or used: too few problems, other vectors than its model's, a broken file."""


class NoProbesError(ProbeError):
    """A run has no probes."""


class StaleProbesError(ProbeError):
    """The probes of a run were trained on other verdicts or vectors than its last ones."""


class OneSidedError(ProbeError):
    """The training problems have no passing sample, or no failing one: no score can be learnt."""
