"""Verdict sets: the kinds of verdicts that a run keeps for one grader, each under its key.

Because every set is stored like the verdicts themselves, each is resumed after an interruption, and made again when
the grader changes.
"""

from enum import StrEnum


class VerdictSet(StrEnum):
    """A kind of verdicts; `key` names the set of one grader in the store."""

    REGRADE = "regrade"  # second verdicts of some programs: do verdicts stay the same
    VISIBLE_TEST = "visible-test"  # answers to the first test that a problem's prompt shows
    GENERATED_TESTS = "generated-tests"  # the tests that a model wrote which a program passes
    BASE_TESTS = "base-tests"  # verdicts by the base tests of a benchmark that adds tests to another's

    def key(self, grader: str) -> str:
        """Return the name under which the store keeps this set of a grader's verdicts."""
        return f"{grader} {self.value}"
