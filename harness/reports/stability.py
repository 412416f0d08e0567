"""Stability: the agreement of second verdicts of the same programs with the first ones."""

from collections.abc import Mapping

from harness.reports.report import ChangedReward, Stability
from harness.runs.completion import SampleId
from sandbox import Outcome


def stability(first: Mapping[SampleId, Outcome], second: Mapping[SampleId, Outcome]) -> Stability | None:
    """Compare second verdicts with the first; None without second verdicts."""
    if not second:
        return None
    pairs = [(sample, first[sample], outcome) for sample, outcome in second.items() if sample in first]
    changed = [
        ChangedReward(*sample, first=str(before.status), second=str(after.status))
        for sample, before, after in pairs
        if before.reward != after.reward
    ]
    return Stability(len(pairs), changed)
