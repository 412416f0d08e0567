"""Stability: how far second verdicts of the same programs agree with the first."""

from dataclasses import dataclass

from harness.runs.store import Store
from harness.runs.verdict_sets import VerdictSet


@dataclass(frozen=True, slots=True)
class Stability:
    """How many of the programs that were graded twice got another reward the second time."""

    programs: int
    changed: list[tuple[str, int, str, str]]  # problem, sample, first status, second status


def stability(store: Store, grader: str) -> Stability | None:
    """How the second verdicts agree with the first; None where there are none."""
    second = store.verdicts(VerdictSet.REGRADE.key(grader))
    if not second:
        return None
    first = store.verdicts(grader)
    pairs = [(sample, first[sample], outcome) for sample, outcome in second.items() if sample in first]
    changed = [(*s, str(one.status), str(two.status)) for s, one, two in pairs if one.reward != two.reward]
    return Stability(len(pairs), changed)
