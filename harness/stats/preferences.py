"""Accuracy on pairs of replies, apart from their lengths."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.stats.estimators import Bools, Floats
from harness.stats.intervals import PLAIN, Design, finite_mean, percentile_interval, resampled_means
from harness.stats.table import RESAMPLES

SIMILAR = 1.1
"""The largest ratio of two lengths that count as similar."""


@dataclass(frozen=True, slots=True)
class ByLength:
    """The accuracy of one score, by the lengths of a pair's replies; NaN where there is no such pair.

    In `balanced`, pairs whose chosen reply is the longer one weigh as much as those whose chosen reply is the shorter
    one: length alone is right in half of them.
    """

    name: str
    longer: float  # pairs whose chosen reply is longer
    shorter: float  # pairs whose chosen reply is shorter
    balanced: float  # the mean of the two
    low: float  # 95 % interval of `balanced`, from resampling prompts
    high: float
    similar: float  # pairs whose lengths differ by at most a tenth
    similar_low: float
    similar_high: float


@dataclass(frozen=True, slots=True)
class LengthGroups:
    """The pairs by the lengths of their replies, [P] each."""

    longer_P: Bools  # the chosen reply is the longer one
    shorter_P: Bools
    similar_P: Bools

    @classmethod
    def of(cls, chosen_P: Floats, rejected_P: Floats) -> "LengthGroups":
        """Return the groups of pairs with these lengths."""
        low_P, high_P = np.minimum(chosen_P, rejected_P), np.maximum(chosen_P, rejected_P)
        return cls(chosen_P > rejected_P, chosen_P < rejected_P, high_P <= SIMILAR * low_P)


def accuracy_by_length(
    values: Mapping[str, Floats],
    groups: LengthGroups,
    *,
    design: Design = PLAIN,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[ByLength]:
    """Return the accuracy by length, from the values per pair [P] of each row: 1 is right, one half a tie."""
    if not values:
        return []
    values_RP = np.stack(list(values.values()))
    counts_BP = design.counts(values_RP.shape[1], resamples, seed)
    parts = [np.where(mask_P, values_RP, np.nan) for mask_P in (groups.longer_P, groups.shorter_P, groups.similar_P)]
    longer_R, shorter_R, similar_R = map(finite_mean, parts)
    draws = [resampled_means(part_RP, counts_BP) for part_RP in parts]
    low_R, high_R = percentile_interval((draws[0] + draws[1]) / 2)
    similar_low_R, similar_high_R = percentile_interval(draws[2])
    balanced_R = (longer_R + shorter_R) / 2
    columns = (longer_R, shorter_R, balanced_R, low_R, high_R, similar_R, similar_low_R, similar_high_R)
    return [ByLength(name, *(float(column[row]) for column in columns)) for row, name in enumerate(values)]


def confidences(scores_PN: Floats) -> Floats:
    """Return the probability [P, 2] that each reply of a pair is the chosen one, by a score Q: sigmoid(Q - Q')."""
    margin_P = scores_PN[:, 0] - scores_PN[:, 1]
    first_P = np.exp(-np.logaddexp(0.0, -margin_P))
    return np.stack([first_P, 1 - first_P], axis=1)
