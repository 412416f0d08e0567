"""The sandbox that programs run in: jobs go in, outcomes come out, nothing else.

A `Sandbox` runs untrusted programs. What is covered, and what is not, is written in `sandbox/README.md`.
"""

from sandbox.docker.engine import check_engine
from sandbox.factory import open_sandbox, try_sandbox
from sandbox.job import Job, Limits, Outcome, Sandbox, SandboxError, Status

__all__ = [
    "Job",
    "Limits",
    "Outcome",
    "Sandbox",
    "SandboxError",
    "Status",
    "check_engine",
    "open_sandbox",
    "try_sandbox",
]
