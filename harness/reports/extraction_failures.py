"""Completions from which no whole program was made: what they lack, counted before anyone blames the model."""

import re
from collections import Counter
from collections.abc import Mapping

from benchmarks import Problem
from harness.runs.completion import Completion, SampleId
from harness.runs.store import Store
from sandbox import Outcome, Status

EMPTY = "nothing was written"
SYNTAX = "does not compile"
MISSING = "does not define the entry point"
CUT = "cut at the token limit"


def extraction_failures(store: Store, verdicts: Mapping[SampleId, Outcome]) -> dict[str, int]:
    """How many samples have each trouble, most frequent first; a sample may have several."""
    problems = {problem.id: problem for problem in store.problems()}
    counts: Counter[str] = Counter()
    for completion in store.completions():
        counts.update(troubles(problems[completion.problem_id], completion, verdicts.get(completion.id)))
    return dict(counts.most_common())


def troubles(problem: Problem, completion: Completion, outcome: Outcome | None) -> list[str]:
    """What one sample lacks."""
    has_entry = bool(problem.entry_point) and not problem.language
    found = {
        EMPTY: not completion.continuation.strip(),
        SYNTAX: outcome is not None and outcome.status is Status.SYNTAX,
        MISSING: has_entry and not _defines(completion.program, problem.entry_point),
        CUT: completion.finish_reason == "length",
    }
    return [trouble for trouble, there in found.items() if there]


def _defines(program: str, name: str) -> bool:
    """Whether a program gives the name a meaning somewhere, by the look of it: it need not compile."""
    known = re.escape(name)
    return re.search(rf"\b(def|class|import|as)\s+{known}\b|\b{known}\s*(:[^=\n]+)?=(?!=)", program) is not None
