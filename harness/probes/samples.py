"""The data of probes: vectors and rewards of the samples of every problem, joined by id.

Names carry their dimensions: P problems, N samples of a problem (padded to the largest), D width of a vector.
"""

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from harness.errors import ProbeError as ProbeError
from harness.models.engine import View as View

Named = TypeVar("Named", str, tuple[str, int])

ROWS_AT_ONCE = 4096
"""Samples whose vectors `graded_rows` copies at once."""

SampleKey = tuple[str, int]
"""A problem's id and the index of one of its samples."""


@dataclass(frozen=True)
class Samples:
    """The samples of a set of problems. Entries outside `mask_PN` are padding or ungraded."""

    problem_ids: tuple[str, ...]
    vectors: Mapping[View, Tensor]  # one [P, N, D] tensor per view; widths may differ between views
    rewards_PN: Tensor  # float32; 0 outside the mask
    mask_PN: Tensor  # bool
    indices_PN: Tensor  # int64: the index of the sample within its problem; -1 for padding
    features: int = 0  # how many of the last numbers of every vector are features: see harness/probes/added_features.py

    @classmethod
    def join(
        cls,
        ids: Sequence[SampleKey],
        vectors: Mapping[View, np.ndarray | Tensor],
        rewards: Mapping[SampleKey, float | None],
    ) -> "Samples":
        """Join flat rows by id: row r of each [R, D] array belongs to ids[r]; a reward of None means ungraded.

        Problems keep the order in which `ids` first names them, and samples are put in the order of their index.
        Raises ProbeError for a repeated id, a graded sample without a vector, a vector that is not finite, and a reward
        outside 0 to 1.
        """
        if len(set(ids)) < len(ids):
            raise ProbeError(f"Sample {_first_repeated(ids)} has two vectors: give exactly one per sample.")
        if missing := sorted(set(rewards) - set(ids)):
            raise ProbeError(f"{len(missing)} graded samples have no vector, first {missing[0]}: embed them first.")
        tensors = {view: _tensor(rows) for view, rows in vectors.items()}
        for view, rows_RD in tensors.items():
            _refuse_unusable(ids, view, rows_RD)
        problem_ids = tuple(dict.fromkeys(problem for problem, _ in ids))
        rows_PN, indices_PN = _places(ids, problem_ids)
        in_order = [rewards.get(sample) for sample in ids]
        graded_R = torch.tensor([reward is not None for reward in in_order])
        _refuse_rewards(rewards)
        rewards_R = torch.tensor([reward or 0.0 for reward in in_order], dtype=torch.float32)
        padding_PN = indices_PN < 0
        return cls(
            problem_ids,
            {view: _gather(rows_RD, rows_PN) for view, rows_RD in tensors.items()},
            rewards_R[rows_PN].masked_fill(padding_PN, 0.0),
            graded_R[rows_PN] & ~padding_PN,
            indices_PN,
        )

    @classmethod
    def together(cls, parts: Sequence["Samples"]) -> "Samples":
        """Join the problems of several sets, padded to the widest, with the views that all of them have.

        Raises ProbeError where two sets share a problem, or where the sets share no view.
        """
        if len(parts) == 1:
            return parts[0]
        ids = [problem for part in parts for problem in part.problem_ids]
        if len(set(ids)) < len(ids):
            raise ProbeError(f"Two sets contain problem {_first_repeated(ids)}: give sets without common problems.")
        views = [view for view in parts[0].views if all(view in part.vectors for part in parts)]
        if not views:
            raise ProbeError("The sets share no layer and pooling: embed them with the same layers.")
        width = max(part.mask_PN.shape[1] for part in parts)
        return cls(
            tuple(ids),
            {view: torch.cat([_padded(part.vectors[view], width, 0.0) for part in parts]) for view in views},
            torch.cat([_padded(part.rewards_PN, width, 0.0) for part in parts]),
            torch.cat([_padded(part.mask_PN, width, False) for part in parts]),
            torch.cat([_padded(part.indices_PN, width, -1) for part in parts]),
            parts[0].features,
        )

    @property
    def views(self) -> tuple[View, ...]:
        """All views, in the order given."""
        return tuple(self.vectors)

    def take(self, problems: Sequence[int] | Tensor) -> "Samples":
        """The same samples for some problems only, by position."""
        rows = torch.as_tensor(problems).cpu()
        if torch.equal(rows, torch.arange(len(self.problem_ids))):
            return self  # all of them, without a copy
        return Samples(
            tuple(self.problem_ids[i] for i in rows.tolist()),
            {view: vectors_PND[rows] for view, vectors_PND in self.vectors.items()},
            self.rewards_PN[rows],
            self.mask_PN[rows],
            self.indices_PN[rows],
            self.features,
        )

    def to(self, device: torch.device | str) -> "Samples":
        """The same samples on another device."""
        return Samples(
            self.problem_ids,
            {view: vectors_PND.to(device) for view, vectors_PND in self.vectors.items()},
            self.rewards_PN.to(device),
            self.mask_PN.to(device),
            self.indices_PN.to(device),
            self.features,
        )

    def shuffled(self, seed: int, *, within: bool = False) -> "Samples":
        """The same samples with the rewards permuted among all graded samples: the control of every probe.

        With `within`, they are permuted within each problem. A probe that learns from these may have a genuine gain: a
        feature that separates easy problems from hard ones may also separate good samples from bad.
        """
        mask_PN, generator = self.mask_PN.cpu(), torch.Generator().manual_seed(seed)
        graded_R = self.rewards_PN.cpu()[mask_PN]
        if within:  # a random order of the samples, sorted by problem
            order_R = torch.rand(mask_PN.shape, generator=generator)[mask_PN].argsort()
            order_R = order_R[mask_PN.nonzero()[order_R, 0].argsort(stable=True)]
        else:
            order_R = torch.randperm(len(graded_R), generator=generator)
        permuted_PN = torch.zeros(mask_PN.shape).masked_scatter(mask_PN, graded_R[order_R])
        return replace(self, rewards_PN=permuted_PN.to(self.rewards_PN.device))

    def digest(self) -> str:
        """A hash of the samples' ids and rewards, without the vectors."""
        hasher = hashlib.sha256()
        for position, problem in enumerate(self.problem_ids):
            mask_N = self.mask_PN[position].cpu()
            indices, rewards = self.indices_PN[position].cpu()[mask_N], self.rewards_PN[position].cpu()[mask_N]
            hasher.update(repr((problem, indices.tolist(), rewards.tolist())).encode())
        return hasher.hexdigest()

    def without_signal(self) -> int:
        """The number of graded problems whose samples all pass or all fail; they stay in averages."""
        passed_P = (self.rewards_PN * self.mask_PN).sum(1)
        graded_P = self.mask_PN.sum(1)
        return int(((graded_P > 0) & ((passed_P == 0) | (passed_P == graded_P))).sum())


def _padded(values: Tensor, width: int, filler: float) -> Tensor:
    """[P, N, ...] widened to [P, width, ...]."""
    spare = values.new_full((len(values), width - values.shape[1], *values.shape[2:]), filler)
    return torch.cat([values, spare], dim=1)


def _first_repeated(ids: Sequence[Named]) -> Named:
    seen: set[Named] = set()
    return next(sample for sample in ids if sample in seen or seen.add(sample))  # type: ignore[func-returns-value]


def _tensor(rows_RD: np.ndarray | Tensor) -> Tensor:
    """The rows as a tensor, without a copy even of a read-only mapped file: vectors are never written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.as_tensor(rows_RD)


def _refuse_rewards(rewards: Mapping[SampleKey, float | None]) -> None:
    for (problem, index), reward in rewards.items():
        if reward is not None and not 0 <= reward <= 1:
            raise ProbeError(
                f"The reward of sample {index} of {problem} is {reward:g}: give rewards from 0 (fails) to 1 (passes)."
            )


def _refuse_unusable(ids: Sequence[SampleKey], view: View, rows_RD: Tensor) -> None:
    if len(rows_RD) != len(ids):
        raise ProbeError(f"There are {len(ids)} samples, but {len(rows_RD)} vectors of layer {view}.")
    for start in range(0, len(rows_RD), 4096):  # in pieces: a whole boolean copy would double the memory
        broken = ~rows_RD[start : start + 4096].isfinite().all(dim=1)
        if bool(broken.any()):
            problem, index = ids[start + int(broken.nonzero()[0])]
            raise ProbeError(f"The vector of sample {index} of {problem} (layer {view}) is not finite: embed it again.")


def _places(ids: Sequence[SampleKey], problem_ids: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """For each entry of the padded table [P, N], the row that fills it (0 for padding) and the sample's index."""
    rows_by_problem: dict[str, list[tuple[int, int]]] = {problem: [] for problem in problem_ids}
    for row, (problem, index) in enumerate(ids):
        rows_by_problem[problem].append((index, row))
    width = max((len(rows) for rows in rows_by_problem.values()), default=0)
    rows_PN = torch.zeros(len(problem_ids), width, dtype=torch.long)
    indices_PN = torch.full_like(rows_PN, -1)
    for position, rows in enumerate(rows_by_problem.values()):
        pairs = torch.tensor(sorted(rows))
        indices_PN[position, : len(rows)], rows_PN[position, : len(rows)] = pairs[:, 0], pairs[:, 1]
    return rows_PN, indices_PN


def _gather(rows_RD: Tensor, rows_PN: Tensor) -> Tensor:
    """The padded [P, N, D] table. Where the rows are in order already, no copy is made."""
    if torch.equal(rows_PN.flatten(), torch.arange(len(rows_RD))):
        return rows_RD.view(*rows_PN.shape, -1)
    return rows_RD[rows_PN]


def graded_rows(
    samples: Samples, view: View, problems_P: Tensor, dtype: torch.dtype
) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
    """Yield copies of the graded vectors [R, D] of some problems, in their order, some at a time: memory stays flat.

    With them come the positions [R] of their problems, and those among the samples of a problem.
    """
    problems_Q = problems_P.nonzero().flatten().to(samples.mask_PN.device)
    for some_Q in torch.split(problems_Q, max(1, ROWS_AT_ONCE // samples.mask_PN.shape[1])):
        graded_QN = samples.mask_PN[some_Q]
        own_R, places_R = graded_QN.nonzero(as_tuple=True)
        yield samples.vectors[view][some_Q][graded_QN].to(dtype), (some_Q[own_R], places_R)
