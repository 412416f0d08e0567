"""Selection rules: the ways in which the scores of a probe choose one of a problem's samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, best_of_k
from harness.stats.selection import chances_of_k, softmax_chances, softmax_of_k, softmax_selection

SOFTMAX, ARG_MAX, AMONG = "softmax", "arg max", "arg max among"
KINDS = (ARG_MAX, SOFTMAX, AMONG)

BY_SOFTMAX = 0
"""The limit of a problem that softmax selection decides; any other is the number of samples of an arg max."""

NEARLY_RANDOM = 1000.0
"""A temperature at which softmax selection is as good as a random choice, and counts as one."""

UNLIMITED = 2**31
"""The limit of an arg max among all samples, however many."""


@dataclass(frozen=True, order=True)
class SelectionRule:
    """Softmax at `temperature` among all samples; at temperature 0 the best-scored of `k` samples, or of all.

    The k samples are a random part of a problem's. The best of fewer is a softer choice, as a higher temperature is,
    but it depends on the ranks of the scores alone: no outlier can decide more than its rank does.
    """

    temperature: float = 0.0
    k: int | None = None

    @classmethod
    def of_kind(cls, kind: str, temperature: float, k: int | None) -> Self:
        """The rule of that kind, with the one of the two parameters that it needs."""
        return cls(temperature if kind == SOFTMAX else 0.0, k if kind == AMONG else None)

    @property
    def kind(self) -> str:
        """The name of the rule without its number."""
        return SOFTMAX if self.temperature else ARG_MAX if self.k is None else AMONG

    @property
    def limit(self) -> int:
        """The rule as a number, for `selection_by_limits`."""
        if self.temperature >= NEARLY_RANDOM:
            return 1
        return BY_SOFTMAX if self.temperature else self.k or UNLIMITED

    def chances(self, scores_PN: Floats, mask_PN: Bools) -> Floats:
        """Return the probability [P, N] of each sample; the best of all where a problem has fewer than k."""
        if self.temperature or self.k is None:
            return softmax_chances(scores_PN, mask_PN, self.temperature)
        chances_PN = np.zeros(scores_PN.shape)
        among_P = np.minimum(mask_PN.sum(1), self.k)
        for k in np.unique(among_P[among_P > 0]):
            here_P = among_P == k
            chances_PN[here_P] = chances_of_k(scores_PN[here_P], mask_PN[here_P], int(k), 0.0)
        return chances_PN

    def __str__(self) -> str:
        """The rule in words."""
        if self.temperature:
            return f"softmax at {self.temperature:g}"
        return "a random sample" if self.k == 1 else ARG_MAX if self.k is None else f"{AMONG} {self.k}"


def selection_by_limits(
    scores_PN: Floats,
    rewards_PN: Floats,
    mask_PN: Bools,
    beta: float,
    limits_P: Ints | Sequence[int],
    k: int | None = None,
) -> Floats:
    """Return the expected reward [P] of each problem's own rule, among k of its samples or among all.

    A problem's limit says how many samples its arg max is among (of all where it has fewer); at the limit BY_SOFTMAX
    its rule is softmax selection at `beta`, at beta 0 the arg max. NaN for a problem with fewer than k graded samples,
    or with none.
    """
    counts_P = mask_PN.sum(1)
    limits_P = np.where(np.asarray(limits_P) == BY_SOFTMAX, UNLIMITED if beta == 0 else BY_SOFTMAX, limits_P)
    among_P = np.minimum(limits_P, counts_P if k is None else k)
    values_P = np.full(len(counts_P), np.nan)
    enough_P = counts_P >= (1 if k is None else k)
    for limit in np.unique(among_P[enough_P]):
        here_P = enough_P & (among_P == limit)
        parts = (scores_PN[here_P], rewards_PN[here_P], mask_PN[here_P])
        if limit:
            values_P[here_P] = best_of_k(*parts, [int(limit)])[:, 0]
        else:
            values_P[here_P] = softmax_selection(*parts, beta) if k is None else softmax_of_k(*parts, k, beta)
    return values_P


def selected_values(
    scores_SPN: Floats, rewards_PN: Floats, mask_PN: Bools, beta: float, limits_SP: Ints, k: int | None = None
) -> Floats:
    """Return `selection_by_limits` [S, P] for the scores of S cross-validations."""
    parts = zip(scores_SPN, limits_SP, strict=True)
    return np.stack(
        [selection_by_limits(scores_PN, rewards_PN, mask_PN, beta, limits_P, k) for scores_PN, limits_P in parts]
    )
