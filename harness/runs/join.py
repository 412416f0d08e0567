"""Joins by sample: values that are known per sample, as arrays [P, N]."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.runs.completion import SampleId


def place(
    by_sample: Mapping[SampleId, float],
    problem_ids: Sequence[str],
    indices_PN: NDArray[np.int64],
    fill: float,
) -> NDArray[Any]:
    """Return the value of every sample at its place [P, N].

    `indices_PN` holds the index of each problem's samples, negative for padding. `fill` stands at padding and where a
    sample has no value; the array is of integers if the values and `fill` are.
    """
    values = [
        by_sample.get(SampleId(problem_id, index), fill) if index >= 0 else fill
        for problem_id, indices_N in zip(problem_ids, indices_PN.tolist(), strict=True)
        for index in indices_N
    ]
    return np.array(values, dtype=None if values else type(fill)).reshape(indices_PN.shape)


def group_numbers(keys: Mapping[SampleId, Hashable]) -> dict[SampleId, int]:
    """Return a number per sample, counted from 0 in each problem: samples of a problem with equal keys share one."""
    numbers: defaultdict[str, dict[Hashable, int]] = defaultdict(dict)
    return {
        sample: numbers[sample.problem_id].setdefault(key, len(numbers[sample.problem_id]))
        for sample, key in keys.items()
    }
