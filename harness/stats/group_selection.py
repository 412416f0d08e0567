"""Selection by groups: among k samples, the group of the highest value is chosen, and then one of its samples.

Votes and filters are of this kind. A vote values a group by the number of its samples among the k, so that only these
vote; a filter values it by its level. For every level that a value can have, the number of samples that each group may
have is bounded, and the groups are joined one after the other: of j samples drawn from the joined ones, c are of the
next group with a hypergeometric probability. All numbers are probabilities, and the result is exact up to rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.stats.estimators import Bools, Floats, Ints, warn_where_short


@dataclass(frozen=True)
class Groups:
    """The groups of one problem, with their values and rewards when c of their samples are drawn."""

    sizes_G: Ints
    values_GC: Floats  # never falls as c grows; the column of c = 0 is not read
    rewards_GC: Floats  # of the sample that is chosen from c of the group's samples

    def of_k(self, ks: Sequence[int]) -> Floats:
        """Return the expected reward [K] among k samples drawn without replacement; groups of equal value share it.

        NaN where the groups have fewer than k samples.
        """
        most, total = min(max(ks), int(self.sizes_G.sum())), int(self.sizes_G.sum())
        expected_J = np.zeros(most + 1)
        counts_C = np.arange(self.values_GC.shape[1])
        possible_GC = (counts_C >= 1) & (counts_C <= np.minimum(self.sizes_G, most)[:, None])
        for level in np.unique(self.values_GC[possible_GC]):
            expected_J += self._won_at(level, most)
        return np.array([expected_J[k] if k <= total else np.nan for k in ks])

    def _won_at(self, level: float, most: int) -> Floats:
        """The part of the expected reward [J] of j drawn samples where the highest value is this level."""
        caps_G = np.minimum(self.sizes_G, most)
        counts_C = np.arange(1, self.values_GC.shape[1])
        drawn_GC = counts_C <= caps_G[:, None]
        below_G = 1 + ((self.values_GC[:, 1:] < level) & drawn_GC).sum(1)  # so many counts, from 0, are below the level
        ends_G = below_G + ((self.values_GC[:, 1:] == level) & drawn_GC).sum(1)
        wins_G = ends_G > below_G
        if wins_G.all() and (ends_G == 2).all():
            return self._all_apart(most)
        free_G, shut_G = ~wins_G & (below_G > caps_G), ~wins_G & (below_G == 1) & (caps_G > 0)
        least = int(below_G[wins_G].min())
        joined = _Joined(most, min(int(wins_G.sum()), most // least))
        joined.add(int(self.sizes_G[free_G].sum()), most + 1)
        joined.add(int(self.sizes_G[shut_G & ~free_G].sum()), 1)
        for g in np.flatnonzero(~free_G & ~shut_G):
            joined.add(int(self.sizes_G[g]), int(below_G[g]), int(ends_G[g]), self.rewards_GC[g])
        return joined.shared_rewards()

    def _all_apart(self, most: int) -> Floats:
        """The part [J] where no two samples are of one group, so that each of the j drawn ones wins.

        What `_Joined` gives, in vectors: with samples that hardly ever agree there are as many groups as samples.
        """
        if (self.sizes_G == 1).all():  # every sample wins as often
            shares_J = np.full(most + 1, self.rewards_GC[:, 1].mean())
            shares_J[0] = 0.0
            return shares_J
        total, chances_J, rewards_J = 0, np.zeros(most + 1), np.zeros(most + 1)
        chances_J[0] = 1.0
        for size, reward in zip(self.sizes_G.tolist(), self.rewards_GC[:, 1].tolist(), strict=True):
            none_J, one_J = draw_chances(total, size, most)[:, :2].T
            earned_J = rewards_J[:-1] + reward * chances_J[:-1]
            rewards_J *= none_J
            rewards_J[1:] += earned_J * one_J[1:]
            joined_J = chances_J * none_J
            joined_J[1:] += chances_J[:-1] * one_J[1:]
            total, chances_J = total + size, joined_J
        return np.asarray(rewards_J / np.maximum(np.arange(most + 1), 1))


class _Joined:
    """The groups that are joined so far: probabilities by the number j of samples drawn and of winning groups t."""

    def __init__(self, most: int, winners: int) -> None:
        self.total = 0
        self.chances_JT = np.zeros((most + 1, winners + 1))
        self.rewards_JT = np.zeros((most + 1, winners + 1))  # the sum of the winners' rewards, times the probability
        self.chances_JT[0, 0] = 1.0

    def add(self, size: int, below: int, end: int = 0, rewards_C: Floats | None = None) -> None:
        """Join a group of which fewer than `below` samples may be drawn, or it wins with fewer than `end`."""
        chances_JC = draw_chances(self.total, size, len(self.chances_JT) - 1)
        chances_JT, rewards_JT = np.zeros_like(self.chances_JT), np.zeros_like(self.rewards_JT)
        for c in range(min(max(below, end), chances_JC.shape[1])):
            kept = len(chances_JT) - c
            weights_J1 = chances_JC[c:, c, None]
            earlier_JT = self.chances_JT[:kept] * weights_J1
            earned_JT = self.rewards_JT[:kept] * weights_J1
            if c < below:
                chances_JT[c:] += earlier_JT
                rewards_JT[c:] += earned_JT
            elif rewards_C is not None:
                chances_JT[c:, 1:] += earlier_JT[:, :-1]
                rewards_JT[c:, 1:] += earned_JT[:, :-1] + rewards_C[c] * earlier_JT[:, :-1]
        self.total += size
        self.chances_JT, self.rewards_JT = chances_JT, rewards_JT

    def shared_rewards(self) -> Floats:
        """The expected reward [J] where there are winners, who share it evenly."""
        shares_T = 1 / np.arange(1, self.rewards_JT.shape[1])
        return np.asarray(self.rewards_JT[:, 1:] @ shares_T)


@lru_cache(maxsize=4096)  # problems of as many samples ask for the same ones
def draw_chances(others: int, size: int, most: int) -> Floats:
    """Return the probability [J, C] that c of j samples drawn from `others` + `size` ones are among the `size`.

    j is from 0 to `most`, c from 0 to the least of `most` and `size`; zero where so many cannot be drawn.
    """
    logs = np.concatenate([[0.0], np.log(np.arange(1, others + size + 1)).cumsum()])
    j_J1 = np.arange(most + 1)[:, None]
    c_C = np.arange(min(most, size) + 1)
    rest_JC = j_J1 - c_C
    possible_JC = (rest_JC >= 0) & (rest_JC <= others) & (j_J1 <= others + size)
    rest_JC, j_J1 = np.where(possible_JC, rest_JC, 0), np.minimum(j_J1, others + size)
    logs_JC = _log_choose(logs, size, c_C) + _log_choose(logs, others, rest_JC) - _log_choose(logs, others + size, j_J1)
    chances_JC = np.where(possible_JC, np.exp(logs_JC), 0.0)
    chances_JC.flags.writeable = False
    return chances_JC


def _log_choose(logs: Floats, n: int, k: Ints) -> Floats:
    return np.asarray(logs[n] - logs[k] - logs[n - k])


def vote_of_k(groups_PN: Ints, rewards_PN: Floats, mask_PN: Bools, ks: Sequence[int]) -> Floats:
    """Return the expected reward [P, K] of a vote among k samples: one of the largest group's, ties shared evenly.

    NaN, with a warning, where a problem has fewer than k graded samples.
    """
    warn_where_short(mask_PN.sum(1), max(ks))
    values_PK = np.full((len(mask_PN), len(ks)), np.nan)
    for values_K, groups_N, rewards_N, mask_N in zip(values_PK, groups_PN, rewards_PN, mask_PN, strict=True):
        own_n, earned_n = groups_N[mask_N], rewards_N[mask_N]
        enough_K = np.array(ks) <= len(own_n)
        if not enough_K.any():
            continue
        if (earned_n == earned_n[0]).all():  # every choice is equally good
            values_K[enough_K] = earned_n[0]
            continue
        _, places_n, sizes_G = np.unique(own_n, return_inverse=True, return_counts=True)
        rewards_G1 = (np.bincount(places_n, weights=earned_n) / sizes_G)[:, None]
        counts_GC = np.broadcast_to(np.arange(sizes_G.max() + 1.0), (len(sizes_G), sizes_G.max() + 1))
        groups = Groups(sizes_G, counts_GC, np.broadcast_to(rewards_G1, counts_GC.shape))
        values_K[:] = groups.of_k(ks)
    return values_PK
