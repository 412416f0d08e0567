"""Folds of problems: samples of one problem in two folds would leak its difficulty."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.probes.samples import ProbeError

DEFAULT_FOLDS = 5

FEWEST_PROBLEMS = 3
"""A probe learns from some problems, is chosen on others, and is tried on what is left."""


def default_folds(problems: int) -> int:
    """The default number of folds: five, or one per problem where there are fewer problems."""
    return max(2, min(DEFAULT_FOLDS, problems))


def check_folds(problems: int, folds: int | None) -> None:
    """Raise ProbeError for fewer problems than cross-validation needs; `folds` is None for the default number."""
    least = FEWEST_PROBLEMS if folds is None else folds
    if problems < least:
        remedy = "take more problems" if folds is None else "ask for fewer folds"
        raise ProbeError(f"{least} folds need as many problems, not {problems}: {remedy}.")


def assign_folds(problem_ids: Sequence[str], folds: int, seed: int, groups: Mapping[str, int] | None = None) -> Tensor:
    """Return the fold of each problem [P], drawn with `seed`; the sizes of the folds differ by at most one problem.

    `groups` keeps problems together: those with the same number share a fold, and sizes are then only as even as
    whole groups allow. Raises ProbeError where there are fewer problems (or groups) than folds.
    """
    if folds < 2:
        raise ProbeError(f"Cross-validation needs at least two folds, not {folds}.")
    group_of = groups or {}
    by_group: dict[object, list[int]] = {}
    for position, problem in enumerate(problem_ids):
        by_group.setdefault(group_of.get(problem, problem), []).append(position)
    if len(by_group) < folds:
        units = "groups of problems" if groups else "problems"
        raise ProbeError(f"{folds} folds need as many {units}, not {len(by_group)}: ask for fewer folds.")
    order = torch.randperm(len(by_group), generator=torch.Generator().manual_seed(seed)).tolist()
    shuffled = [list(by_group.values())[i] for i in order]
    shuffled.sort(key=len, reverse=True)  # stable: groups of equal size stay in random order
    fold_P = torch.empty(len(problem_ids), dtype=torch.long)
    sizes = [0] * folds
    for group in shuffled:
        smallest = sizes.index(min(sizes))
        fold_P[group] = smallest
        sizes[smallest] += len(group)
    return fold_P
