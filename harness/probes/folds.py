"""Folds are made of problems, never of samples: samples of one problem in two folds would leak its difficulty."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.probes.samples import ProbeError

DEFAULT_FOLDS = 5


def default_folds(problems: int) -> int:
    """How many folds are made where nobody asks for a number: five, or as many as there are problems."""
    return max(2, min(DEFAULT_FOLDS, problems))


def assign_folds(problem_ids: Sequence[str], folds: int, seed: int, groups: Mapping[str, int] | None = None) -> Tensor:
    """The fold of each problem [P], drawn with `seed`; the folds' sizes differ by one problem at most.

    `groups` keeps problems together: those with the same number share a fold, and sizes are then only as even as
    whole groups allow. Raises ProbeError where there are fewer problems (or groups) than folds.
    """
    if folds < 2:
        raise ProbeError(f"cross-validation needs two folds at least, not {folds}")
    group_of = groups or {}
    members: dict[object, list[int]] = {}
    for place, problem in enumerate(problem_ids):
        members.setdefault(group_of.get(problem, problem), []).append(place)
    if len(members) < folds:
        what = "groups of problems" if groups else "problems"
        raise ProbeError(f"{len(members)} {what} cannot make {folds} folds: ask for fewer folds")
    order = torch.randperm(len(members), generator=torch.Generator().manual_seed(seed)).tolist()
    drawn = [list(members.values())[i] for i in order]
    drawn.sort(key=len, reverse=True)  # stable: groups of equal size stay in the drawn order
    fold_P = torch.empty(len(problem_ids), dtype=torch.long)
    sizes = [0] * folds
    for group in drawn:
        smallest = sizes.index(min(sizes))
        fold_P[group] = smallest
        sizes[smallest] += len(group)
    return fold_P
