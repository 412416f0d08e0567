"""Selectors: choices among k samples that depend on which k they are, and not on fixed scores alone.

A score that compares a sample with the others of its problem, such as agreement, is another one when fewer samples are
drawn: a selector compares the drawn ones alone. Composed choices are selectors too: a filter or a vote, then a probe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.stats.estimators import Bools, Floats, Ints, pass_at_1, warn_where_short
from harness.stats.group_selection import Groups, vote_of_k
from harness.stats.rules import BY_SOFTMAX, selection_by_limits
from harness.stats.subsets import DRAWS, central, curve_over_subsets, mean_over_subsets, typical, weighted_vote

_NONE = np.iinfo(np.int64).min
"""A number that no group has."""


class Selector(Protocol):
    """A choice of one of a problem's samples."""

    def expected(self, rewards_PN: Floats, mask_PN: Bools, k: int | None) -> Floats:
        """Return the expected reward [P] among k samples, or among all of a problem; NaN where it has fewer.

        Of a choice in S cross-validations, [S, P].
        """
        ...

    def curve(self, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
        """Return the expected reward [P, K] among each number of samples."""
        ...


@dataclass(frozen=True)
class Vote:
    """One of the largest group of samples that agree; exact."""

    groups_PN: Ints

    def expected(self, rewards_PN: Floats, mask_PN: Bools, k: int | None) -> Floats:
        """Return the expected reward [P] among k samples, or among all of a problem."""
        if k is not None:
            return np.asarray(self.curve(rewards_PN, mask_PN, [k])[:, 0])
        levels_PN = np.ones(mask_PN.shape)
        return GroupChoice(self.groups_PN, levels_PN, counts=True).expected(rewards_PN, mask_PN, None)

    def curve(self, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
        """Return the expected reward [P, K] among each number of samples."""
        return vote_of_k(self.groups_PN, rewards_PN, mask_PN, ks)


class _BySubsets:
    """A choice whose expectation is a mean over subsets; see `harness.stats.subsets`."""

    def chances(self, problem: int, graded_n: Ints, members_Sk: Ints) -> Floats:
        """Return the chances [S, k] of the members of each subset of a problem's graded samples."""
        raise NotImplementedError

    def expected(self, rewards_PN: Floats, mask_PN: Bools, k: int | None) -> Floats:
        """Return the expected reward [P] among k samples, or among all of a problem."""
        return np.asarray(mean_over_subsets(self.chances, rewards_PN, mask_PN, [k], DRAWS)[:, 0])

    def curve(self, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
        """Return the expected reward [P, K] among each number of samples."""
        return curve_over_subsets(self.chances, rewards_PN, mask_PN, ks)


@dataclass(frozen=True)
class Central(_BySubsets):
    """The sample whose vector is nearest to the mean of the drawn ones, by the products of all vectors."""

    kernel_PNN: NDArray[np.floating]

    def chances(self, problem: int, graded_n: Ints, members_Sk: Ints) -> Floats:
        """Return the chances [S, k] of the members of each subset of a problem's graded samples."""
        return central(self.kernel_PNN[problem][np.ix_(graded_n, graded_n)], members_Sk)


@dataclass(frozen=True)
class TypicalLength(_BySubsets):
    """The sample whose log length is nearest to the median of the drawn ones."""

    lengths_PN: Floats

    def chances(self, problem: int, graded_n: Ints, members_Sk: Ints) -> Floats:
        """Return the chances [S, k] of the members of each subset of a problem's graded samples."""
        return typical(np.log(np.clip(self.lengths_PN[problem, graded_n], 1, None)), members_Sk)


@dataclass(frozen=True)
class WeightedVote(_BySubsets):
    """The group of the largest sum of weights among the drawn samples, and in it a sample by its weight."""

    groups_PN: Ints
    weights_PN: Floats  # above zero

    def chances(self, problem: int, graded_n: Ints, members_Sk: Ints) -> Floats:
        """Return the chances [S, k] of the members of each subset of a problem's graded samples."""
        return weighted_vote(self.groups_PN[problem, graded_n], self.weights_PN[problem, graded_n], members_Sk)


@dataclass(frozen=True)
class ByScores:
    """The choice by fixed scores, among k samples or among all, by each problem's rule; see `selection_by_limits`."""

    scores_PN: Floats
    beta: float = 0.0
    limits_P: Ints | int = BY_SOFTMAX

    def expected(self, rewards_PN: Floats, mask_PN: Bools, k: int | None) -> Floats:
        """Return the expected reward [P] among k samples, or among all of a problem."""
        limits_P = np.broadcast_to(self.limits_P, len(mask_PN))
        return selection_by_limits(self.scores_PN, rewards_PN, mask_PN, self.beta, limits_P, k)

    def curve(self, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
        """Return the expected reward [P, K] among each number of samples."""
        return np.stack([self.expected(rewards_PN, mask_PN, k) for k in ks], axis=1)

    def of(self, rows_V: Ints) -> "ByScores":
        """The same for these problems, which may be repeated."""
        limits_P = np.broadcast_to(self.limits_P, len(self.scores_PN))
        return ByScores(self.scores_PN[rows_V], self.beta, limits_P[rows_V])


@dataclass(frozen=True)
class Foldings:
    """A choice in S cross-validations, whose probes differ."""

    selectors: Sequence[Selector]

    def expected(self, rewards_PN: Floats, mask_PN: Bools, k: int | None) -> Floats:
        """Return the expected reward [S, P] among k samples, or among all of a problem."""
        return np.stack([selector.expected(rewards_PN, mask_PN, k) for selector in self.selectors])

    def curve(self, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
        """Return the expected reward [P, K] among each number of samples, the mean over S."""
        curves_SPK = [selector.curve(rewards_PN, mask_PN, ks) for selector in self.selectors]
        return np.asarray(np.mean(curves_SPK, axis=0))


@dataclass(frozen=True)
class GroupChoice:
    """The group of the highest level, and one of its samples: a filter, or a vote that levels weigh; exact.

    With `counts` a group's value is its level times the number of its samples among the k, as in CodeT (arXiv
    2207.10397), else the level itself. `within` chooses among the group's samples; without it each is as likely.
    """

    groups_PN: Ints
    levels_PN: Floats  # zero or above, equal for the samples of a group
    counts: bool = False
    within: ByScores | None = None

    def expected(self, rewards_PN: Floats, mask_PN: Bools, k: int | None) -> Floats:
        """Return the expected reward [P] among k samples, or among all of a problem."""
        if k is not None:
            return np.asarray(self.curve(rewards_PN, mask_PN, [k])[:, 0])
        return np.array([self._of_all(problem, rewards_PN, mask_PN) for problem in range(len(mask_PN))])

    def curve(self, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
        """Return the expected reward [P, K] among each number of samples."""
        warn_where_short(mask_PN.sum(1), max(ks))
        values_PK = np.full((len(mask_PN), len(ks)), np.nan)
        for problem, n in enumerate(mask_PN.sum(1).tolist()):
            if own := [k for k in ks if k <= n]:
                groups = self._groups(problem, rewards_PN, mask_PN, max(own))
                values_PK[problem, np.array(ks) <= n] = groups.of_k(own)
        return values_PK

    def _of_all(self, problem: int, rewards_PN: Floats, mask_PN: Bools) -> float:
        """The expected reward among all of a problem's samples; NaN without any."""
        if not mask_PN[problem].any():
            return np.nan
        members_GN, levels_G = self._members(problem, mask_PN)
        values_G = levels_G * (members_GN.sum(1) if self.counts else 1)
        return float(self._rewards(problem, members_GN[values_G == values_G.max()], rewards_PN, None).mean())

    def _groups(self, problem: int, rewards_PN: Floats, mask_PN: Bools, most: int) -> Groups:
        members_GN, levels_G = self._members(problem, mask_PN)
        sizes_G = members_GN.sum(1)
        counts_C = np.arange(min(most, int(sizes_G.max())) + 1)
        values_GC = levels_G[:, None] * (counts_C if self.counts else np.ones(len(counts_C)))
        rewards_GC = np.zeros(values_GC.shape)
        for c in counts_C[1:].tolist():
            enough_G = sizes_G >= c
            rewards_GC[enough_G, c] = self._rewards(problem, members_GN[enough_G], rewards_PN, c)
        return Groups(sizes_G, values_GC, rewards_GC)

    def _members(self, problem: int, mask_PN: Bools) -> tuple[Bools, Floats]:
        """The graded samples of each group [G, N], and the group's level [G]."""
        names_G, first_G = np.unique(np.where(mask_PN[problem], self.groups_PN[problem], _NONE), return_index=True)
        first_G = first_G[names_G != _NONE]
        members_GN = (self.groups_PN[problem] == self.groups_PN[problem, first_G, None]) & mask_PN[problem]
        return members_GN, self.levels_PN[problem, first_G]

    def _rewards(self, problem: int, members_GN: Bools, rewards_PN: Floats, c: int | None) -> Floats:
        """The expected reward [G] of the choice among c samples of each group, or among all of it."""
        rows_G = np.full(len(members_GN), problem)
        if self.within is None:
            return pass_at_1(rewards_PN[rows_G], members_GN)
        return self.within.of(rows_G).expected(rewards_PN[rows_G], members_GN, c)
