"""The one error a user can mend. Everything else that escapes is our bug."""

from benchmarks import BenchmarkError
from sandbox import SandboxError


class QprobeError(Exception):
    """A stage cannot go on, for a reason its user can mend: the message says what to do."""


class ProbeError(QprobeError):
    """A probe cannot be trained or used."""


USER_ERRORS = (QprobeError, BenchmarkError, SandboxError)
"""What the command line answers with one sentence and exit status 1."""
