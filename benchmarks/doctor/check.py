"""The results of the doctor's checks."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

Progress = Callable[[str, int], AbstractContextManager[Callable[..., None]]]
"""progress(title, total) is a context whose value is called once for each step."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem that a check stumbled over."""

    problem_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check of all problems."""

    name: str
    looked_at: int  # problems that the check says something about
    findings: tuple[Finding, ...] = ()
    known: tuple[Finding, ...] = ()  # what the benchmark's errata knows of, with its reason
    note: str = ""
    must_hold: bool = True  # False: findings are worth knowing, and the benchmark can be used all the same

    @property
    def fails(self) -> bool:
        """True if the benchmark must be fixed before its numbers mean anything."""
        return self.must_hold and bool(self.findings)
