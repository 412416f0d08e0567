"""The tests that a model wrote which a run's programs pass, at the places of the scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.runs.join import group_numbers, place
from harness.runs.store import Store
from harness.stats.estimators import Floats, Ints
from harness.stats.selectors import GroupChoice
from sandbox import Outcome


@dataclass(frozen=True, slots=True)
class GeneratedAnswers:
    """The tests that each program passes, [P, N] each; a problem without tests has 0 everywhere."""

    problems: int  # with tests
    texts: float  # completions with tests per problem
    passed_PN: Floats  # tests that a program passes, each as often as it was written
    sets_PN: Ints  # equal for samples of a problem that pass the same tests

    @property
    def filter(self) -> GroupChoice:
        """One of the samples that pass the most tests."""
        return GroupChoice(self.passed_PN.astype(np.int64), self.passed_PN)

    @property
    def codet(self) -> GroupChoice:
        """One of CodeT's best consensus set (arXiv 2207.10397), that of the highest sqrt(samples) x tests passed."""
        return GroupChoice(self.sets_PN, self.passed_PN**2, counts=True)


def generated_answers(
    store: Store, grader: str, problem_ids: Sequence[str], indices_PN: Ints
) -> GeneratedAnswers | None:
    """Return the answers at the places of the scores; None where the programs were not run on generated tests."""
    tests = store.about.generated_tests
    verdicts = store.verdicts(tests.verdicts(grader)) if tests else {}
    if not verdicts or tests is None:
        return None
    marks = {sample: _marks(outcome) for sample, outcome in verdicts.items()}
    passed = {sample: _weighted(own, tests.weights[sample.problem_id]) for sample, own in marks.items()}
    sets = group_numbers(marks)
    return GeneratedAnswers(
        len({sample.problem_id for sample in verdicts} & set(problem_ids)),
        tests.texts,
        place(passed, problem_ids, indices_PN, 0.0).astype(np.float64),
        place(sets, problem_ids, indices_PN, -1).astype(np.int64),
    )


def _marks(outcome: Outcome) -> str:
    """The text of a 1 for each test that the program passes and a 0 for each other."""
    return outcome.detail.rpartition(" ")[2]


def _weighted(marks: str, weights: Sequence[int]) -> float:
    return float(sum(weight for mark, weight in zip(marks, weights, strict=True) if mark == "1"))
