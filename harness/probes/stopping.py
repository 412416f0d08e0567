"""Early stopping: the epoch after which a candidate has nothing to gain, or is not among the better ones.

Candidates are hyperparameters between which a selection for one probe decides. They are compared as the selection will
compare them: by a lower bound of what they gain on all inner folds together.
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from harness.probes.batch import ProbeSpec
from harness.probes.hyperparameters import Schedule
from harness.probes.validation import Curve, lower_bounds


class Stopping:
    """The best figure so far of every candidate, and the epoch in which it was reached.

    Dimensions: S specs still in training, C candidates, B rules of selection.
    """

    def __init__(self, specs: Sequence[ProbeSpec], schedule: Schedule, caution: float) -> None:
        self._schedule, self._caution = schedule, caution
        candidates: dict[Hashable, int] = {}
        selections: dict[Hashable, list[int]] = {}
        for spec in specs:
            selection = selection_of(spec)
            if (key := (selection, spec.hyperparameters)) not in candidates:
                selections.setdefault(selection, []).append(len(candidates))
                candidates[key] = len(candidates)
        self._candidate_S = np.array([candidates[selection_of(spec), spec.hyperparameters] for spec in specs])
        self._selections = [np.array(members) for members in selections.values()]
        validated_S = [0 if spec.validate_P is None else int(spec.validate_P.sum()) for spec in specs]
        self._problems_C = np.bincount(self._candidate_S, validated_S).astype(int)
        self._best_C = np.full(len(candidates), -np.inf)
        self._epoch_C = np.zeros(len(candidates), dtype=np.int64)

    def update(self, figures: Mapping[int, Curve], epoch: int) -> None:
        """Take the figures [B, 4] on one more epoch's validation problems, by the places of their specs."""
        if not figures:
            return
        own_F = self._candidate_S[list(figures)]
        running_C, place_F, count_C = np.unique(own_F, return_inverse=True, return_counts=True)
        figures_FBS = np.stack(list(figures.values()))
        mean_CBS = np.zeros((len(running_C), *figures_FBS.shape[1:]))
        np.add.at(mean_CBS, place_F, figures_FBS)
        bounds_CB, _ = lower_bounds(mean_CBS / count_C[:, None, None], self._problems_C[running_C, None], self._caution)
        best_C = bounds_CB.max(1)
        better_C = best_C > self._best_C[running_C]
        self._best_C[running_C[better_C]], self._epoch_C[running_C[better_C]] = best_C[better_C], epoch

    def stopped(self, epoch: int) -> NDArray[np.bool_]:
        """Return for each spec [S] whether its candidate has not risen for as many epochs as its patience."""
        patience_C = np.full(len(self._best_C), self._schedule.patience)
        for members in self._selections:
            best = self._best_C[members]
            behind = members[best < np.sort(best)[len(best) // 2]]
            patience_C[behind] = min(self._schedule.patience, self._schedule.patience_behind)
        stopped_S: NDArray[np.bool_] = (epoch - self._epoch_C >= patience_C)[self._candidate_S]
        return stopped_S

    def keep(self, places: Sequence[int]) -> None:
        """Remove all specs but those at these places."""
        self._candidate_S = self._candidate_S[list(places)]


def selection_of(spec: ProbeSpec) -> Hashable:
    """Return what the specs share whose hyperparameters one selection decides between: all but these and the fold."""
    known_P = spec.train_P if spec.validate_P is None else torch.logical_or(spec.train_P, spec.validate_P)
    return spec.objective, known_P.numpy().tobytes(), spec.seed, spec.permutation
