"""Completions that gave no complete program, by what they lack: a first check before blaming the model."""

import re

from benchmarks import Problem
from harness.runs.completion import Completion
from sandbox import Outcome, Status

EMPTY = "nothing was written"
SYNTAX = "does not compile"
MISSING = "does not define the entry point"
CUT = "cut at the token limit"


def sample_failures(problem: Problem, completion: Completion, outcome: Outcome | None) -> list[str]:
    """Return what one sample lacks; a sample may have several failures."""
    has_entry_point = bool(problem.entry_point) and not problem.language
    failures = {
        EMPTY: not completion.continuation.strip(),
        SYNTAX: outcome is not None and outcome.status is Status.SYNTAX,
        MISSING: has_entry_point and not _defines(completion.program, problem.entry_point),
        CUT: completion.finish_reason == "length",
    }
    return [failure for failure, applies in failures.items() if applies]


def _defines(program: str, name: str) -> bool:
    """Return True if a program appears to bind the name somewhere; it need not compile."""
    word = re.escape(name)
    return re.search(rf"\b(def|class|import|as)\s+{word}\b|\b{word}\s*(:[^=\n]+)?=(?!=)", program) is not None
