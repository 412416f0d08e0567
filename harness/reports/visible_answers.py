"""The answers of a run's programs to the tests that prompts show, at the places of the scores."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.runs.join import group_numbers, place
from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet
from harness.stats.estimators import Floats, Ints
from harness.stats.selectors import GroupChoice
from sandbox import Outcome, Status

_ANSWER = re.compile(r"answer (\d+) (True|False)$")


@dataclass(frozen=True, slots=True)
class VisibleAnswers:
    """The programs' answers to the first test that their problem's prompt shows, [P, N] each."""

    problems: int  # whose prompt shows a test
    groups_PN: Ints  # equal for samples of a problem with equal answers, unique for a sample without an answer
    passes_PN: Floats  # 1 if the answer is the expected one

    @property
    def filter(self) -> GroupChoice:
        """One of the samples that give the expected answer, or of all where none does."""
        return GroupChoice(self.passes_PN.astype(np.int64), self.passes_PN)


def visible_answers(store: Store, grader: str, problem_ids: Sequence[str], indices_PN: Ints) -> VisibleAnswers | None:
    """Return the answers at the places of the scores; None if the programs were not run on these tests."""
    verdicts = store.verdicts(VerdictSet.VISIBLE_TEST.key(grader))
    if not verdicts:
        return None
    answers = {sample: answer for sample, outcome in verdicts.items() if (answer := _answer(outcome)) is not None}
    groups = group_numbers({sample: digest for sample, (digest, _) in answers.items()})
    groups_PN = place(groups, problem_ids, indices_PN, -1)
    alone_PN = -1 - np.arange(indices_PN.size, dtype=np.int64).reshape(indices_PN.shape)
    groups_PN = np.where(groups_PN < 0, alone_PN, groups_PN)
    passes_PN = place({sample: passes for sample, (_, passes) in answers.items()}, problem_ids, indices_PN, 0.0)
    return VisibleAnswers(len({sample.problem_id for sample in verdicts}), groups_PN, passes_PN)


def _answer(outcome: Outcome) -> tuple[str, float] | None:
    """Return the digest of a sample's answer, and 1 if it is the expected one; None if it gave no answer."""
    match = _ANSWER.search(outcome.detail) if outcome.status is Status.FAILED else None
    return (match[1], float(match[2] == "True")) if match else None
