"""The answers of a run's programs to the tests that prompts show, in the places of the scores."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.runs.completion import SampleId
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stats.estimators import Floats, Ints
from sandbox import Outcome, Status

_ANSWER = re.compile(r"answer (\d+) (True|False)$")


@dataclass(frozen=True, slots=True)
class VisibleAnswers:
    """What programs give on the first test that their problem's prompt shows, [P, N] each."""

    problems: int  # how many show one
    groups_PN: Ints  # samples of a problem with equal answers share a number; no answer is in a group of its own
    passes_PN: Floats  # 1 where the answer is the one that is shown


def visible_answers(store: Store, grader: str, problem_ids: Sequence[str], indices_PN: Ints) -> VisibleAnswers | None:
    """The answers in the places of the scores; None where the programs were not asked."""
    verdicts = store.verdicts(VerdictSet.VISIBLE_TEST.key(grader))
    if not verdicts:
        return None
    groups_PN = -1 - np.arange(indices_PN.size, dtype=np.int64).reshape(indices_PN.shape)
    passes_PN = np.zeros(indices_PN.shape)
    for p, problem_id in enumerate(problem_ids):
        numbers: dict[str, int] = {}
        for n in np.flatnonzero(indices_PN[p] >= 0):
            found = _answer(verdicts, SampleId(problem_id, int(indices_PN[p, n])))
            if found is not None:
                groups_PN[p, n] = numbers.setdefault(found[0], len(numbers))
                passes_PN[p, n] = found[1]
    return VisibleAnswers(len({sample.problem_id for sample in verdicts}), groups_PN, passes_PN)


def _answer(verdicts: Mapping[SampleId, Outcome], sample: SampleId) -> tuple[str, float] | None:
    """The digest of a sample's answer, and 1 where it is the one that is shown; None where it gave none."""
    outcome = verdicts.get(sample)
    said = _ANSWER.search(outcome.detail) if outcome is not None and outcome.status is Status.FAILED else None
    return (said[1], float(said[2] == "True")) if said else None
